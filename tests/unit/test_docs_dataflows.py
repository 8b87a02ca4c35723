"""What docs/dataflows.md says is still what a dataflow needs."""

import re

import pytest
from pages import DOCS, ROOT, blocks

PAGE = (DOCS / "dataflows.md").read_text(encoding="utf-8")
(DIFF,) = (text for kind, text in blocks("dataflows.md") if kind == "diff")
CHANGES = re.findall(r"^--- (.+)\n\+\+\+ \1\n((?:[@ +\\-].*\n|\n)+?)(?=--- |\Z)", DIFF, flags=re.MULTILINE)


@pytest.mark.parametrize(("file", "change"), CHANGES)
def test_the_change_applies(file, change):
    text = (ROOT / file).read_text(encoding="utf-8")
    hunks = re.split(r"^@@.*@@\n", change, flags=re.MULTILINE)[1:]
    assert hunks
    for hunk in hunks:
        before = "".join(line[1:] for line in hunk.splitlines(keepends=True) if not line.startswith("+"))
        assert text.count(before) == 1


def test_every_file_is_changed_that_names_all_dataflows():
    """In the package, a file that knows the row-stationary dataflow is in the change."""
    changed = {file for file, _ in CHANGES}
    assert f"| {len(changed)} |" in PAGE
    sources = [path for suffix in ("py", "pyx", "pxd") for path in (ROOT / "rtsched").rglob(f"*.{suffix}")]
    word = re.compile(r'"rs"|best_row_stationary|DATAFLOW_RS')
    assert {str(path.relative_to(ROOT)) for path in sources if word.search(path.read_text(encoding="utf-8"))} == changed


@pytest.mark.parametrize(("file", "names"), [("cost", ("loop_nest", "streamed", "dram_traffic")), ("dataflows", ("best_use", "steps_of"))])
def test_what_is_shared_is_where_the_page_says(file, names):
    text = (ROOT / "rtsched" / "_core" / f"{file}.pyx").read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}" not in PAGE or f" {name}(" not in text] == []
