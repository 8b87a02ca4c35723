"""`rtsched timeline`: what happened when, in the terminal, as a picture and as a trace; and what the command refuses."""

import re
import shutil
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from builders import once, problem_of
from hypothesis import given
from hypothesis import strategies as st
from program import invoke, messages, start
from rich.console import Console
from strategies import policies, problems, seeds

import rtsched
from rtsched.cli._inputs import nanoseconds
from rtsched.errors import InputError
from rtsched.outcome import STATUSES
from rtsched.report.gantt import LETTERS, OTHER, Gantt
from rtsched.run import run
from rtsched.timeline import bars_of, misses_of, shares_of, thinned, tile_names, worst_window

PAGE = (Path(__file__).parents[2] / "docs" / "timeline.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def outcome():
    return rtsched.simulate("vr_gaming", policy="edf", duration_s=0.3, layers=True, rates=True)


@pytest.fixture(scope="module")
def saved(outcome, tmp_path_factory):
    path = tmp_path_factory.mktemp("timeline") / "edf.npz"
    outcome.save(path)
    return path


@pytest.fixture
def by_hand():
    """`a` runs from 0 to 200 and `b`, due at 250, from 200 to 300, on one of two tiles."""
    tasks = [once("a", "m", 2, deadline_ns=400), once("b", "n", 1, deadline_ns=240, release_ns=10)]
    return run(problem_of(tasks, {"m": [[100, None]] * 2, "n": [[100, None]], "o": [[None, 100]]}), "fcfs", layers=True)


def shown(outcome, from_ns, to_ns, width=80, encoding="utf-8"):
    """What stands in a terminal without colours."""
    console = Console(file=StringIO(), width=width, color_system=None)
    options = console.options.update()
    options.encoding = encoding
    lines = console.render_lines(Gantt(outcome, from_ns, to_ns), options, pad=False)
    return "".join("".join(one.text for one in line).rstrip() + "\n" for line in lines)


# ---- What happened when


@given(problems(), policies(), seeds, st.integers(1, 40))
def test_shares_of_columns_sum_to_the_busy_time(problem, policy, seed, n):
    outcome = run(problem, policy, seed=seed, layers=True)
    if outcome.end_ns == 0:
        return
    edges = np.linspace(0, outcome.end_ns, n + 1)
    bars = bars_of(outcome, 0, outcome.end_ns)
    shares = shares_of(bars, edges, len(outcome.busy_ns), problem.n_tasks)
    assert shares.min(initial=0) >= 0
    assert shares.sum(axis=1).max(initial=0) <= 1 + 1e-9
    assert (shares * np.diff(edges)).sum(axis=(1, 2)) == pytest.approx(outcome.busy_ns, rel=1e-9)
    by_task = np.zeros((len(outcome.busy_ns), problem.n_tasks))
    np.add.at(by_task, (bars.lane, bars.task), bars.end_ns - bars.start_ns)
    assert (shares * np.diff(edges)).sum(axis=2) == pytest.approx(by_task, rel=1e-9)


def test_shares_by_hand(by_hand):
    shares = shares_of(bars_of(by_hand, 0, 400), np.array([0.0, 150.0, 250.0, 400.0]), 2, 2)
    assert shares[0].tolist() == [[1.0, 0.5, 0.0], [0.0, 0.5, pytest.approx(1 / 3)]]
    assert not shares[1].any()


def test_thinned_bars_are_the_first_of_their_place(by_hand):
    bars = bars_of(by_hand, 0, 400)
    assert thinned(bars, 0, 400, 4, 2) is bars
    assert thinned(bars, 0, 400, 4, 1).start_ns.tolist() == [0, 200]
    few = thinned(bars, 0, 400, 1, 1)
    assert (few.start_ns.tolist(), few.task.tolist(), few.is_thinned) == ([0], [0], True)


def test_when_deadlines_are_missed(by_hand):
    missed = misses_of(by_hand)
    assert (missed.job.tolist(), missed.time_ns.tolist()) == ([1], [250])
    jobs = by_hand.jobs.copy()
    jobs["status"][1], jobs["finish_ns"][1] = STATUSES.index("dropped"), 30
    assert misses_of(replace(by_hand, jobs=jobs)).time_ns.tolist() == [30]
    jobs["status"][1], jobs["finish_ns"][1] = STATUSES.index("unfinished"), -1
    assert misses_of(replace(by_hand, jobs=jobs)).time_ns.tolist() == [250]


# ---- In the terminal


def test_the_chart_by_hand(by_hand):
    lines = shown(by_hand, 0, 400, width=90).splitlines()
    assert lines[0].startswith("hand on hand, policy fcfs, seed 0: ")
    assert "0 to 0.0004 ms: 1 of 2 deadlines missed; a column is 5.00 ns" in lines
    rows = {line[:8].strip(): line[10:] for line in lines if line}
    assert rows["a0"] == "a" * 40 + "b" * 20
    assert rows["a1"] == ""
    assert rows["a a"] == " " * 79 + "|"
    assert rows["b b"] == " " * 49 + "X"
    assert rows["waiting"] == " " * 2 + "1" * 38
    assert "DRAM" not in rows


def test_the_chart_fits_and_needs_neither_colours_nor_unicode(outcome):
    for width, encoding in ((80, "utf-8"), (80, "ascii"), (200, "ascii")):
        text = shown(outcome, *worst_window([outcome]), width, encoding)
        assert max(map(len, text.splitlines())) <= width
        assert text.isascii() == (encoding == "ascii")
        assert "\x1b" not in text
        for name in (*tile_names(outcome), *outcome.problem.task_names, "waiting", "DRAM"):
            assert name in text
    assert max(map(len, shown(outcome, 0, 10**8, 160).splitlines())) > 120


def test_colours_follow_the_tasks(outcome):
    file = StringIO()
    Console(file=file, width=80, force_terminal=True, color_system="truecolor").print(Gantt(outcome, *worst_window([outcome])))
    text = file.getvalue()
    assert text.count(";48;2;0;114;178m") > 2  # the first of the palette, behind the letter of its row and in those of tiles
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert [line.rstrip() for line in plain.splitlines()] == shown(outcome, *worst_window([outcome])).splitlines()


def test_hostile_and_long_names_stay_in_their_place():
    names = ["\x1b[2J", "a" * 60, "[red]x", *(f"t{i}" for i in range(60))]
    tasks = [once(name, f"m{i}", 1, deadline_ns=5000) for i, name in enumerate(names)]
    outcome = run(problem_of(tasks, {f"m{i}": [[10]] for i in range(len(names))}), "fcfs", layers=True)
    problem = replace(outcome.problem, accelerator_names=("\x1b[1m",))
    text = shown(replace(outcome, problem=problem, is_complete=False), 0, 5000)
    assert "\x1b" not in text
    assert "PARTIAL" in text
    assert "[red]x" in text
    assert max(map(len, text.splitlines())) <= 80
    assert f"{OTHER} t{59}" in text
    assert f"{LETTERS[51]} t48" in text


def test_the_queue_and_the_scale_of_a_full_chart():
    tasks = [once(f"t{i}", "m", 1, deadline_ns=5000) for i in range(12)]
    lines = shown(run(problem_of(tasks, {"m": [[100]]}), "fcfs", layers=True), 0, 1200, width=70).splitlines()
    waiting = next(line for line in lines if line.startswith("waiting"))[10:]
    assert re.fullmatch(r"\++9+8+7+6+5+4+3+2+1+", waiting)
    assert re.search(r"^ +\|0 +\|0\.0005 +\|0\.001 ms$", "\n".join(lines), flags=re.MULTILINE)


# ---- The command


@pytest.mark.parametrize(
    ("text", "ns"), [("300", 300_000_000), ("1.2s", 1_200_000_000), ("1.5 ms", 1_500_000), ("2us", 2000), ("7NS", 7), ("-1", -1_000_000)]
)
def test_times_with_units(text, ns):
    assert nanoseconds("from", text) == ns


@pytest.mark.parametrize("text", ["", "s", "1.2m", "1,5", "0x1", "1e", "--", "1 2", "ms1"])
def test_what_is_no_time(text):
    with pytest.raises(InputError, match=r"^from: must be a time as 1\.2s, 300ms or 300 \(ms\), got '"):
        nanoseconds("from", text)


def test_the_command_answers_on_standard_output(saved, outcome):
    result = invoke("timeline", saved)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines == shown(rtsched.load_outcome(saved), *worst_window([outcome]), 100).splitlines()
    assert all(line == line.rstrip() for line in result.stdout.splitlines())
    part = invoke("timeline", saved, "--from", "0.1s", "--to", "120ms").stdout
    assert "100 to 120 ms: " in part


def test_the_command_writes_pictures_and_traces(saved, outcome, tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    for name, beginning in (("a.svg", b"<?xml"), ("a.PDF", b"%PDF"), ("a.png", b"\x89PNG")):
        result = invoke("timeline", saved, "-o", tmp_path / name, "--from", 50)
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
        assert (tmp_path / name).read_bytes().startswith(beginning)
    assert invoke("timeline", saved, "-o", tmp_path / "a.pftrace").exit_code == 0
    outcome.to_perfetto(tmp_path / "b.pftrace")
    assert (tmp_path / "a.pftrace").read_bytes() == (tmp_path / "b.pftrace").read_bytes()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-o", "a.jpg"), ["a.jpg: must end in .png, .svg, .pdf or .pftrace"]),
        (("-o", "a.pftrace", "--from", 1), ["-o a.pftrace: a trace is of the whole run; leave out --from and --to"]),
        (
            ("--from", "x", "--to", "nan"),
            ["from: must be a time as 1.2s, 300ms or 300 (ms), got 'x'", "to: must be a finite number, got nan"],
        ),
        (("--from", "3s"), ["from: must be before the end of the run at 311.29 ms, got 3000 ms"]),
        (("--from", 20, "--to", 10), ["to: must be later than 20 ms, where the window begins, got 10 ms"]),
    ],
)
def test_bad_options_are_one_message_each(options, expected, saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert messages("timeline", saved, *options) == expected
    assert list(tmp_path.iterdir()) == []


def test_bad_results_are_one_message_each(saved, outcome, tmp_path):
    assert messages("timeline", "vr_gaming") == ["vr_gaming: must be what 'rtsched run --save' wrote, and end in .npz"]
    assert len(messages("timeline", tmp_path / "none.npz")) == 1
    bare = tmp_path / "bare.npz"
    replace(outcome, layers=None).save(bare)
    told = [f"{bare}: has no layers. Save it with 'rtsched run --save', or in Python run it with layers=True"]
    assert messages("timeline", bare) == told
    wrong = tmp_path / "wrong.npz"
    layers = outcome.layers.copy()
    layers["tiles"][5] = 1 << 40
    replace(outcome, layers=layers).save(wrong)
    (fault,) = messages("timeline", wrong)
    assert fault.startswith(f"{wrong}: tiles: task '")
    copied = tmp_path / "copied.png"
    shutil.copy(saved, tmp_path / "own.npz")
    copied.symlink_to(tmp_path / "own.npz")
    assert messages("timeline", tmp_path / "own.npz", "-o", copied) == [f"-o {copied}: would overwrite the result"]


def test_without_matplotlib_pictures_say_what_to_install(saved, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    wanted = "pictures need matplotlib: pip install 'rtsched[plot]'"
    assert messages("timeline", saved, "-o", tmp_path / "a.png") == [wanted]
    assert messages("timeline", tmp_path / "none.npz", "-o", tmp_path / "a.png")[0] == wanted  # before anything is read
    assert invoke("timeline", saved).exit_code == 0


def test_a_pipe_that_closes_ends_it_quietly(saved):
    with start("timeline", saved) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


# ---- The page


def test_the_page_shows_what_the_command_prints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    commands = re.findall(r"^\$ rtsched (.+)$", PAGE, flags=re.MULTILINE)
    assert len(commands) == 4
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    results = [invoke(*command.split()) for command in commands]
    assert [one.exit_code for one in results] == [0] * 4
    (expected,) = re.findall(r"^```text\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert results[1].stdout == expected
    assert sorted(one.name for one in tmp_path.iterdir()) == ["edf.npz", "edf.pftrace", "timeline.pdf"]


def test_the_page_tells_of_every_track():
    from rtsched.interop import perfetto

    described = PAGE[PAGE.index("| track |") :]
    for name in ("missed deadlines", "waiting jobs", *perfetto.DRAM.values(), "slack at the end of jobs"):
        assert name in described
    assert [one for one in (*perfetto.NUMBERS, *perfetto.TEXTS) if f"`{one}`" not in described] == []
