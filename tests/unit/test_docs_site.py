"""The documentation site: what is in it, its links, and that it is built without a warning."""

import re
import subprocess
import sys
from html import unescape
from importlib import import_module
from importlib.util import find_spec

import pytest
from pages import DOCS, ROOT
from program import invoke

PAGES = {path.stem: path.read_text(encoding="utf-8") for path in DOCS.glob("*.md")}
BUILDERS = ("sphinx", "myst_parser", "numpydoc", "furo")


def prose(text):
    """A page without its blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    """Those that code hosts give to headings."""
    headings = re.findall(r"^#+ (.+)$", prose(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_index_lists_every_page_as_the_sidebar_does():
    index = PAGES["index"]
    listed = re.findall(r"^- \[(.+?)\]\((\w+)\.md\): ", index, flags=re.MULTILINE)
    in_sidebar = re.findall(r"^([A-Z].*) <(\w+)>$", index, flags=re.MULTILINE)
    assert [("Tutorial", "tutorial"), *listed] == in_sidebar
    assert sorted(["index", *(page for _, page in in_sidebar)]) == sorted(PAGES)
    captions = re.findall(r"^:caption: (.+)$", index, flags=re.MULTILINE)
    assert captions == re.findall(r"^## (.+)$", index, flags=re.MULTILINE)


@pytest.mark.parametrize("page", [*PAGES, "README", "CONTRIBUTING", "CHANGELOG"])
def test_links_lead_somewhere_on_a_code_host(page):
    folder = DOCS if page in PAGES else ROOT
    text = (folder / f"{page}.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(text)) if not link.startswith(("http:", "https:"))]
    broken = []
    for link in links:
        file, _, anchor = link.partition("#")
        target = folder / file if file else folder / f"{page}.md"
        if not target.is_file() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("module", ["rtsched", "rtsched.metrics", "rtsched.testing", "rtsched.report.figures"])
def test_the_reference_has_every_public_name_once(module):
    parts = re.split(r"^\.\. currentmodule:: (\S+)$", PAGES["reference"], flags=re.MULTILINE)
    of_module = "".join(text for name, text in zip(parts[1::2], parts[2::2], strict=True) if name == module)
    documented = re.findall(r"^\.\. auto\w+:: (\w+)$", of_module, flags=re.MULTILINE)
    inline = [name for name in import_module(module).__all__ if name not in documented]
    assert sorted([*documented, *inline]) == sorted(import_module(module).__all__)
    assert [name for name in inline if not re.search(rf"`(rtsched\.)?{name}`", prose(PAGES["reference"]))] == []


@pytest.mark.skipif(any(find_spec(name) is None for name in BUILDERS), reason="needs pip install '.[docs]'")
def test_the_site_is_built_without_a_warning_and_asks_no_other_server(tmp_path):
    build = [sys.executable, "-P", "-m", "sphinx", "-q", "-W", "-n", "-b", "html", "-d", tmp_path / "trees", DOCS, tmp_path / "site"]
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "site").glob("*.html")}
    assert set(built) >= {*PAGES, "search", "genindex"}
    loads = [tag for text in built.values() for tag in re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", text)]
    assert [tag for tag in loads if re.search(r"""(src|href)=["'](https?:)?//""", tag)] == []
    styles = [path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.css")]
    assert [style for style in styles if re.search(r"(@import|url\()\s*[\"']?(https?:)?//", style)] == []
    for command in (["run"], ["import", "onnx"], ["reproduce"]):
        assert f'<section id="rtsched-{"-".join(command)}">' in built["commands"]
        assert invoke(*command, "--help").stdout.strip("\n") in unescape(built["commands"])
    assert 'id="rtsched.simulate"' in built["reference"]
