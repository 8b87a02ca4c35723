"""Kill reproductions or sweeps at random instants, go on, and hold what comes out against a run that nobody disturbed.

    python tests/faults/kill.py --kills 200
    python tests/faults/kill.py --kills 50 --sweep examples/study.yaml

After each kill nothing that was stored may be missing, and every file must be whole. After each reproduction that came to its end,
the rows of its store and its files must be those of the undisturbed one; only wall times may differ.

The instants are spread evenly over the logarithm of a time. For one process of four that is the time since its start: it dies while
it is imported, while it plans, or while it draws the last figure. For the others it is the time since they stored their first new
run, because how long they take to it differs with the machine and with what is stored already; what could be lost is there by then.
The exit code is 1 when something was wrong. pytest does not collect this; tests/unit/test_faults.py does it with a tiny study.
"""

from __future__ import annotations

import argparse
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

STORE = "runs.sqlite"

PROGRAM = (sys.executable, "-P", "-m", "rtsched")  # not the bare sources of the current folder

FIRST_S = 0.4
"""The earliest instant since the start; before, Python and NumPy are still being imported."""

SOON_S = 0.01
"""The earliest instant since the first new run; a run takes some ten of these."""

POLL_S = 0.02

EARLY = 0.25
"""The part of the processes whose clock starts with themselves."""

Rows = dict[str, list[tuple[object, ...]]]


@dataclass
class Tally:
    """What was seen.

    Attributes
    ----------
    n_kills, n_finished : int
        Processes that were killed, and those that came to their end.
    n_idle : int
        Killed before they had stored anything.
    n_kept : int
        Runs that killed processes left behind.
    n_temporaries : int
        Files under temporary names that they left behind.
    faults : list of str
    """

    n_kills: int = 0
    n_finished: int = 0
    n_idle: int = 0
    n_kept: int = 0
    n_temporaries: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Trial:
    """What is killed, and how.

    Attributes
    ----------
    command : sequence of str
        Without the folder.
    expected : Path
        The folder of an undisturbed run.
    root : Path
        Where folders are made.
    longest_s : float
        The latest instant, since the start or since the first new run.
    """

    command: Sequence[str]
    expected: Path
    root: Path
    longest_s: float


def kill_again(trial: Trial, n_kills: int, seed: int = 0) -> Tally:
    """Start, kill and go on until there were `n_kills`, then let the last one come to its end."""
    tally, instants = Tally(), random.Random(seed)
    folder = trial.root / "killed-0"
    while tally.n_kills < n_kills:
        is_early = instants.random() < EARLY
        first_s = FIRST_S if is_early else SOON_S
        limit_s = first_s * (trial.longest_s / first_s) ** instants.random()
        if _one(trial, folder, limit_s, tally, is_early=is_early):
            folder = trial.root / f"killed-{tally.n_finished}"
    _one(trial, folder, None, tally)
    return tally


def _one(trial: Trial, folder: Path, limit_s: float | None, tally: Tally, *, is_early: bool = True) -> bool:
    """Start it once; return whether it came to its end."""
    before = keys_of(folder)
    process = start(trial.command, folder)
    while not is_early and process.poll() is None and keys_of(folder) == before:
        time.sleep(POLL_S)
    try:
        _, errors = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        seen = keys_of(folder)  # what others can read is finished
        process.kill()
        process.communicate()
        _look_after_a_kill(folder, before, seen, tally)
        return False
    tally.n_finished += 1
    if process.returncode:
        tally.faults.append(f"{folder.name}: exit code {process.returncode}: {errors.strip()}")
    else:
        tally.faults += [f"{folder.name}: {fault}" for fault in differences(folder, trial.expected)]
    return True


def start(command: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    """Start a command that puts its runs into a folder."""
    return subprocess.Popen([*command, "-o", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _look_after_a_kill(folder: Path, before: set[str], seen: set[str], tally: Tally) -> None:
    after = keys_of(folder)
    tally.n_kills += 1
    tally.n_idle += after == before
    tally.n_kept += len(after - before)
    temporaries = list(folder.glob(".rtsched-*.tmp"))
    tally.n_temporaries += len(temporaries)
    for path in temporaries:
        path.unlink()
    lost = (before | seen) - after
    found = [f"{len(lost)} finished runs are gone"] if lost else []
    tally.faults += [f"{folder.name}, kill {tally.n_kills}: {fault}" for fault in (*found, *damage(folder))]


def keys_of(folder: Path) -> set[str]:
    """Keys of the runs in the store of a folder; none when it is not made yet."""
    if not (folder / STORE).exists():
        return set()
    with closing(sqlite3.connect(folder / STORE, timeout=60)) as db:
        if not db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'runs'").fetchone()[0]:
            return set()
        return {row[0] for row in db.execute("SELECT key FROM runs")}


def damage(folder: Path) -> Iterator[str]:
    """What is not whole in a folder."""
    if (folder / STORE).exists():
        with closing(sqlite3.connect(folder / STORE, timeout=60)) as db:
            (state,) = db.execute("PRAGMA integrity_check").fetchone()
            if state != "ok":
                yield f"{STORE}: {state}"
    for path in sorted(folder.glob("*.*")):
        if path.suffix in (".csv", ".md", ".svg") and (fault := _part_of_a_file(path)):
            yield f"{path.name}: {fault}"


def _part_of_a_file(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if not text.endswith("</svg>\n" if path.suffix == ".svg" else "\n"):
        return f"ends with {text[-20:]!r}"
    if path.suffix == ".csv" and len({line.count(",") for line in text.splitlines() if '"' not in line}) != 1:
        return "its lines differ in length"
    return ""


def rows_of(folder: Path) -> Rows:
    """Every row of every table, sorted, with the key of its run in the place of its number; of wall times only whose they are."""
    found: Rows = {}
    with closing(sqlite3.connect(folder / STORE)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            kept = [f"{table}.{name}" for name in columns if name not in ("run", "key", "wall_s")]
            source = table
            if "run" in columns:
                kept.insert(0, "key")
                source = "runs" if table == "runs" else f"{table} LEFT JOIN runs USING (run)"
            found[table] = sorted(db.execute(f"SELECT {', '.join(kept)} FROM {source}"), key=repr)
    return found


def files_of(folder: Path) -> dict[str, str]:
    """Tables, figures and what is said, without wall times."""
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix in (".csv", ".md", ".svg")}
    said, mark, made = found.get("README.md", "").partition("## How this was made")
    found["README.md"] = said + mark + re.sub(r"^(\|.*\|)[^|]*\|$", r"\1", made, flags=re.MULTILINE)
    return found


def differences(folder: Path, expected: Path) -> Iterator[str]:
    """What differs between two folders."""
    yield from damage(folder)
    for what, own, other in (("table", rows_of(folder), rows_of(expected)), ("file", files_of(folder), files_of(expected))):
        for name in sorted({*own, *other}):
            if own.get(name) != other.get(name):
                yield f"{what} {name} differs"


def _told(tally: Tally, n_runs: int) -> str:
    return (
        f"{tally.n_kills} kills, {tally.n_idle} of them before anything new was stored; the others had stored {tally.n_kept} runs\n"
        f"{tally.n_finished} came to their end, each of {n_runs} runs\n"
        f"{tally.n_temporaries} files under temporary names were left\n"
        f"{len(tally.faults)} faults\n" + "\n".join(tally.faults)
    )


def main() -> None:
    """Run the undisturbed one, then kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the instants")
    parser.add_argument("--study", choices=("dream", "moca"), default="dream", help="what is reproduced")
    parser.add_argument("--sweep", metavar="STUDY.yaml", help="sweep a study instead, with two processes")
    parser.add_argument("--longest", type=float, metavar="S", help="the latest instant  [default: a sixth of what it takes undisturbed]")
    given = parser.parse_args()
    command = (*PROGRAM, "reproduce", given.study, "--quick")
    if given.sweep is not None:
        command = (*PROGRAM, "sweep", given.sweep, "--workers", "2")
    with tempfile.TemporaryDirectory() as scratch:
        expected = Path(scratch) / "undisturbed"
        begun = time.monotonic()
        subprocess.run([*command, "-o", str(expected)], check=True)
        whole_s = time.monotonic() - begun
        trial = Trial(command, expected, Path(scratch), given.longest or whole_s / 6)
        print(f"undisturbed: {whole_s:.0f} s; killed up to {trial.longest_s:.0f} s after the start or the first new run", flush=True)
        tally = kill_again(trial, given.kills, given.seed)
        print(_told(tally, len(keys_of(expected))), f"{time.monotonic() - begun:.0f} s in all", sep="\n")
    sys.exit(bool(tally.faults))


if __name__ == "__main__":
    main()
