"""docs/tutorial.md, from its first command to its last in one folder, prints what stands there."""

from importlib.util import find_spec

import pytest
from pages import DOCS, blocks, commands, python, shell

PAGE = (DOCS / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = blocks("tutorial.md")
COMMANDS = [command for kind, text in BLOCKS if kind == "console" for command, _ in commands(text)]


@pytest.mark.skipif(find_spec("onnx") is None, reason="needs onnx")
def test_everything_prints_what_the_page_shows(tmp_path):
    printed = None
    for kind, text in BLOCKS:
        if kind == "yaml":
            name = text.partition("\n")[0].removeprefix("# ")
            assert f"Write this as `{name}`" in PAGE
            (tmp_path / name).write_text(text, encoding="utf-8")
        elif kind == "console":
            for command, expected in commands(text):
                assert shell(command, tmp_path).strip("\n") == expected.strip("\n")
        elif kind == "python":
            printed = python(text, tmp_path)
        elif kind == "text":
            assert printed == text
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"board.yaml", "line.yaml", "smaller.yaml", "edf.npz", "edf.pftrace", "eft.npz", "report.html"}


def test_every_block_is_run():
    (installing,) = (text for kind, text in BLOCKS if kind == "")
    assert installing == "pip install '.[onnx]'\n"
    assert {kind for kind, _ in BLOCKS} == {"", "yaml", "console", "python", "text"}
    assert {command.split()[1] for command in COMMANDS} == {"import", "show", "run", "timeline", "compare", "report", "explore"}
    assert [line for line in PAGE.splitlines() if len(line) > 130] == []
