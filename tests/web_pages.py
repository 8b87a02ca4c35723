"""Pages of the program in the tests: whether they are sound by themselves, and what a browser says of them."""

import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser

PLACES = {"d", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "viewBox", "viewbox", "points", "cx", "cy"}
VOID = {"meta", "br", "hr", "img", "link", "input"}
HOSTILE = "<script>alert(1)</script>\"'><b onload=x>&amp;"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")


class Checker(HTMLParser):
    """Balanced tags, ids, references, texts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.hrefs, self.tags, self.attributes, self.texts = [], [], [], Counter(), [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1
        assert len({key for key, _ in attrs}) == len(attrs)
        for key, value in attrs:
            self.attributes.append((tag, key, value))
            if key == "id":
                self.ids.append(value)
            if key == "href":
                self.hrefs.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def checked(text):
    """Parse a page; it must be sound by itself."""
    found = Checker(text)
    assert [one for one, n in Counter(found.ids).items() if n > 1] == []
    assert found.hrefs
    assert [one for one in found.hrefs if not one.startswith("#") or one[1:] not in found.ids] == []
    named = [one for _, key, value in found.attributes if key in ("aria-labelledby", "aria-describedby") for one in value.split()]
    assert set(named) <= set(found.ids)
    fills = re.findall(r"url\(#(\w+)\)", text)
    assert set(fills) <= set(found.ids)
    assert "http:" not in text
    assert "https:" not in text
    assert not found.tags.keys() & {"script", "iframe", "object", "embed", "link", "img", "b"}
    assert [key for _, key, _ in found.attributes if key.startswith("on")] == []
    places = [value for _, key, value in found.attributes if key in PLACES]
    assert [value for value in places if "nan" in value or "inf" in value] == []
    return found


def browsed(path, folder):
    """The page as a browser has it, which must have nothing to complain of."""
    options = (*FLAGS, "--disable-component-update", "--disable-quic", f"--user-data-dir={folder}/profile", "--enable-logging=stderr")
    done = subprocess.run([CHROMIUM, *options, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    return done.stdout
