"""Which lines of the package ran: those of Python by coverage.py, those of the .pyx and .pxd files by gcov.

    python .ci/lines_run.py PERCENT COVERAGE.JSON

Run it in the folder in which ``RTSCHED_BUILD=coverage`` was built. Cython writes ``/* "file.pyx":N`` before the C of a line. A line
counts if gcov finds code behind such a mark, and ran if that code did, in any module: a function of a .pxd is compiled into each
that uses it. Prints the lines that did not run in files below PERCENT, and both totals; the exit code is 1 if one is below PERCENT.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

MARK = re.compile(r'\s*/\* "(?:[^"]*/)?([^"/]+\.p(?:yx|xd))":(\d+)$')
FOLDERS = ("rtsched/_core", "rtsched/policies")
# The door through which tests reach the core, and what Cython generates for itself.
LEFT_OUT = ("_testing.pyx", "_shared_utility.pyx", "_shared_utility.pxd")

Files = dict[str, dict[int, bool]]  # by file and line: did it run?


def python_files(report: Path) -> Files:
    """Return what coverage.py knows."""
    lines = {name: (file["executed_lines"], file["missing_lines"]) for name, file in json.loads(report.read_text())["files"].items()}
    return {name: dict.fromkeys(run, True) | dict.fromkeys(missing, False) for name, (run, missing) in lines.items() if run or missing}


def marked_lines(source: Path) -> dict[int, tuple[str, int]]:
    """Return file name and line of the mark before each line of C that has one; a mark ends with its function."""
    marks = {}
    mark = None
    for number, text in enumerate(source.read_text().splitlines(), 1):
        if found := MARK.match(text):
            mark = (found[1], int(found[2]))
        elif text.startswith("}"):
            mark = None
        elif mark is not None:
            marks[number] = mark
    return marks


def counted_lines(notes: Path) -> list[tuple[Path, int, bool]]:
    """Return file, line and whether it ran for all that gcov knows of one compiled module."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", notes], capture_output=True, check=True, text=True)
    files = json.loads(done.stdout)["files"]
    return [(Path(file["file"]), line["line_number"], line["count"] > 0) for file in files for line in file["lines"]]


def compiled_files() -> Files:
    """Return what gcov knows, in the lines that Cython read."""
    files: Files = defaultdict(dict)
    for folder in FOLDERS:
        for notes in sorted(Path("build").glob(f"temp.*/{folder}/*.gcno")):
            source = Path(folder, notes.name).with_suffix(".c")
            marks = marked_lines(source)
            for file, number, ran in counted_lines(notes):
                if file == source and number in marks and marks[number][0] not in LEFT_OUT:
                    name, line = marks[number]
                    files[name][line] = ran or files[name].get(line, False)
    return files


def percent(ran: list[bool]) -> float:
    """Return how many per cent ran."""
    return 100 * sum(ran) / len(ran)


def missing_ranges(lines: dict[int, bool]) -> str:
    """Write the numbers of the lines that did not run; of neighbours the first and the last."""
    numbers = sorted(line for line, ran in lines.items() if not ran)
    firsts = [number for number in numbers if number - 1 not in numbers]
    lasts = [number for number in numbers if number + 1 not in numbers]
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in zip(firsts, lasts, strict=True))


def show(title: str, files: Files, least: float) -> bool:
    """Print the files below `least` and the total; tell whether it is high enough."""
    for name, lines in sorted(files.items()):
        if percent([*lines.values()]) < least:
            print(f"{name:46} {len(lines):4} {percent([*lines.values()]):6.1f} %   {missing_ranges(lines)}")
    ran = [line for lines in files.values() for line in lines.values()]
    print(f"{title}: {sum(ran)} of {len(ran)} lines in {len(files)} files, {percent(ran):.1f} %")
    return percent(ran) >= least


def main(least: float, report: Path) -> int:
    """Print both; return the exit code."""
    is_enough = [show("Python", python_files(report), least), show("compiled", compiled_files(), least)]
    return int(not all(is_enough))


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), Path(sys.argv[2])))
