"""Runs every reader on damaged files and the engine under misbehaving policies, and prints a table of what came of it.

``python tests/fuzz/run.py --examples 10000`` takes some minutes for each row; ``--only NAME`` (repeated) chooses rows. What crashes
or breaks a rule is kept in ``--keep FOLDER`` and makes the exit code 1. Each row runs in a process of its own, so that a reader that
kills it is counted, too.
"""

import argparse
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

N_POLICIES = 8
"""Policies per problem: it takes longer to make one than to run it."""

POLICIES = "policies"


def judged_files(name, first, n_examples, seed, folder):
    """Judge damaged files: yield the example's number, then whether it was accepted, its time and what is wrong."""
    from fuzz.targets import TARGETS, Broken, judge, mutant

    target = TARGETS[name]
    for i in range(first, n_examples):
        files = mutant(random.Random(f"{seed} {name} {i}"), target)
        (folder / "damaged").write_bytes(files[target.file])
        yield i, None
        try:
            yield i, (*judge(target, files, folder), "")
        except Broken as error:
            (folder / f"damaged-{i}").write_bytes(files[target.file])
            yield i, (False, 0.0, str(error))


def judged_policies(first, n_examples, seed):
    """Judge misbehaving policies, in the same way."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    from fuzz.policies import cases, judge_policy
    from fuzz.targets import Broken

    results = []

    @seeded(seed + first)
    @settings(max_examples=50, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(cases(N_POLICIES))
    def judge_all(case):
        problem, policies, salt, run_seed = case
        for wrongs in policies:
            try:
                results.append((*judge_policy(problem, wrongs, salt, run_seed), ""))
            except Broken as error:
                results.append((False, 0.0, str(error)))

    i = first
    while i < n_examples:
        yield i, None
        results.clear()
        judge_all = seeded(seed + i)(judge_all)
        judge_all()
        for one in results[: n_examples - i]:
            yield i, one
            i += 1


def work(pipe, name, first, n_examples, seed, folder):
    """Send what `judged_files` or `judged_policies` yield."""
    warnings.simplefilter("error")  # as in the tests
    path = Path(folder)
    judged = judged_policies(first, n_examples, seed) if name == POLICIES else judged_files(name, first, n_examples, seed, path)
    for one in judged:
        pipe.send(one)
    pipe.send(None)


class Row:
    """Counts of a reader."""

    def __init__(self, name):
        self.name, self.n_accepted, self.n_refused, self.n_crashes, self.longest_s = name, 0, 0, 0, 0.0
        self.broken = {}
        self.wall_s = 0.0

    def count(self, result):
        """Add a result."""
        is_accepted, seconds, fault = result
        self.longest_s = max(self.longest_s, seconds)
        if fault:
            self.broken[fault] = self.broken.get(fault, 0) + 1
        elif is_accepted:
            self.n_accepted += 1
        else:
            self.n_refused += 1

    def text(self):
        """The row of the table."""
        n_broken = sum(self.broken.values())
        n = self.n_accepted + self.n_refused + n_broken + self.n_crashes
        counts = f"{n:>8}{self.n_accepted:>10}{self.n_refused:>9}{n_broken:>8}{self.n_crashes:>9}"
        return f"{self.name:<20}{counts}{self.longest_s:>11.2f}{self.wall_s:>9.0f}"


def row_of(name, n_examples, seed, keep):
    """Run all examples of a row, in a new process after each one that dies."""
    row, first, begin = Row(name), 0, time.monotonic()
    context = multiprocessing.get_context("spawn")
    while first < n_examples:
        with tempfile.TemporaryDirectory() as folder:
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(target=work, args=(sender, name, first, n_examples, seed, folder))
            process.start()
            sender.close()
            try:
                while (message := receiver.recv()) is not None:
                    first, result = message
                    if result is not None:
                        row.count(result)
                        if result[2]:
                            kept(keep, folder, name, first, result[2])
                first = n_examples
            except EOFError:
                row.n_crashes += 1
                kept(keep, folder, name, first, "the process died")
                first += 1
            process.join()
    row.wall_s = time.monotonic() - begin
    return row


def kept(keep, folder, name, example, fault):
    """Keep what broke a rule, and say so."""
    print(f"{name} example {example}: {fault}", file=sys.stderr, flush=True)
    own, last = Path(folder, f"damaged-{example}"), Path(folder, "damaged")
    damaged = own if own.exists() else last
    if keep is not None and damaged.exists():
        keep.mkdir(parents=True, exist_ok=True)
        shutil.copy(damaged, keep / f"{name.replace(' ', '-')}-{example}")


def main():
    """Print the table; return the exit code."""
    from fuzz.targets import TARGETS

    names = [*TARGETS, POLICIES]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=1000, help="of each row")
    parser.add_argument("--only", action="append", choices=names, help="a row; may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for files that broke a rule")
    chosen = parser.parse_args()
    print(f"{'':<20}{'runs':>8}{'accepted':>10}{'refused':>9}{'broken':>8}{'crashes':>9}{'longest s':>11}{'all s':>9}", flush=True)
    is_good = True
    for name in chosen.only or names:
        row = row_of(name, chosen.examples, chosen.seed, chosen.keep)
        print(row.text(), flush=True)
        is_good = is_good and not (row.broken or row.n_crashes)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main())
