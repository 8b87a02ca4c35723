"""Pages of the documentation: their blocks, and what their examples print."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def blocks(page):
    """(language, content) of each block of a page in docs/, in order; those without a language have ''."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(r"^```(\S*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def python_examples(page):
    """(code, what it prints) of each Python example; None where no ``text`` follows."""
    found = blocks(page)
    following = [*found[1:], ("", "")]
    return [
        (code, printed if kind == "text" else None)
        for (language, code), (kind, printed) in zip(found, following, strict=True)
        if language == "python"
    ]


def commands(console):
    """(command, what a terminal then shows) in a ``console`` block."""
    parts = re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]
    return [(command, printed) for command, _, printed in (part.partition("\n") for part in parts)]


def shell(command, folder):
    """What a terminal of 100 columns shows of a command that goes well: standard output and error together."""
    program = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "COLUMNS": "100", "PATH": program}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "check": False}
    done = subprocess.run(command, shell=True, env=environment, cwd=folder, **options)
    assert done.returncode == 0, done.stdout
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def python(code, folder):
    """What a Python example prints."""
    done = subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
