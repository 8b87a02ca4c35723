"""`rtsched report`: the page is sound HTML that needs nothing else, whatever stands in the outcomes."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import chain, once, problem_of
from program import invoke, messages
from web_pages import CHROMIUM, HOSTILE, browsed, checked

import rtsched
from rtsched.report.html.hardware import mean_allocation
from rtsched.report.html.page import SECTIONS, page
from rtsched.report.html.results import labelled
from rtsched.report.html.svg import Axis
from rtsched.report.html.timeline import WINDOW_NS, bars_of, worst_window
from rtsched.report.text import digits, scaled
from rtsched.run import run
from rtsched.workload.scenario import Task


def written(*outcomes):
    return "".join(page(labelled([(f"{i}.npz", one) for i, one in enumerate(outcomes)])))


@pytest.fixture(scope="module")
def outcomes():
    return [rtsched.simulate("vr_gaming", policy=one, duration_s=1, layers=True, rates=True) for one in ("edf", "herald")]


@pytest.fixture(scope="module")
def saved(outcomes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    for one in outcomes:
        one.save(folder / f"{one.policy}.npz")
    return folder


def test_the_page_is_sound_and_has_every_section(outcomes):
    found = checked(written(*outcomes))
    assert [one for one in found.ids if one in {name for name, *_ in SECTIONS}] == [name for name, *_ in SECTIONS]
    assert found.tags["h1"] == 1
    assert found.tags["caption"] == found.tags["table"]
    assert found.tags["figcaption"] == found.tags["figure"]
    scopes = [value for tag, key, value in found.attributes if (tag, key) == ("th", "scope")]
    assert len(scopes) == found.tags["th"]
    pictures = [value for tag, key, value in found.attributes if (tag, key) == ("svg", "role")]
    assert pictures == ["img"] * (found.tags["title"] - 1)
    assert {"edf", "herald"} <= set(found.texts)


def test_one_result_is_not_compared(outcomes):
    assert "comparison" not in checked(written(outcomes[0])).ids


def test_the_figures_stand_there(outcomes):
    text = written(*outcomes)
    edf, herald = (one.metrics for one in outcomes)
    assert f"<dd>{digits(edf.uxcost)}</dd>" in text
    assert f"<strong>{digits(herald.uxcost)}</strong>" in text
    assert f"hand, edf: {int(rtsched.attribute(outcomes[0]).n_late[1])} late" in text
    assert outcomes[0].provenance["inputs_sha256"] in text


def test_the_same_results_give_the_same_bytes(outcomes):
    assert written(*outcomes) == written(*outcomes)


def test_hostile_names_are_inert():
    tasks = [once(HOSTILE, "m0", 1, deadline_ns=50), once("t\x1b[2J\u202e", "m1", 1, deadline_ns=500)]
    outcome = run(problem_of(tasks, {"m0": [[100, None]], "m1": [[None, 100]]}), "fcfs", layers=True, rates=True)
    problem = replace(
        outcome.problem, scenario_name=HOSTILE, platform_name=HOSTILE, accelerator_names=(HOSTILE, "a1"), model_names=(HOSTILE,) * 2
    )
    provenance = {**outcome.provenance, HOSTILE: HOSTILE}
    text = written(*(replace(outcome, problem=problem, policy=one, provenance=provenance) for one in (HOSTILE, "other")))
    found = checked(text)
    assert any(HOSTILE in one for one in found.texts)
    assert '<th scope="row" class="long">&lt;script&gt;' in text  # it leaves room for the others
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("tables", "lacks"), [({}, "no layers and no rates"), ({"layers": True}, "no rates"), ({"rates": True}, "no layers")]
)
def test_sections_say_what_they_lack(tables, lacks):
    text = written(rtsched.simulate("vr_gaming", policy="edf", duration_s=0.5, **tables))
    checked(text)
    assert f"Where the time of edf went is not known: its file has {lacks}. Save it" in text
    assert ("edf: its file has no layers. Save it" in text) == ("layers" not in tables)
    assert ("DRAM over time needs recorded rates" in text) == ("rates" not in tables)


def test_tables_that_mean_nothing_are_told(outcomes):
    layers = outcomes[0].layers.copy()
    layers["finish_ns"][0] = 0
    text = written(replace(outcomes[0], layers=layers), outcomes[1])
    checked(text)
    assert "Where the time of edf went is not known: its tables mean nothing: layers: task &#x27;gaze&#x27; frame 0" in text
    assert "Where the time of herald" not in text


def test_nothing_happened(outcomes):
    one = outcomes[0]
    checked(written(replace(one, jobs=one.jobs[:0], layers=one.layers[:0], rates=one.rates[:0], end_ns=0, is_complete=False)))


def test_a_partial_run_says_so(outcomes):
    assert "Partial: the run was interrupted" in written(replace(outcomes[0], is_complete=False))
    assert "Partial" not in written(outcomes[0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 1e300])
def test_figures_that_mean_nothing_do_no_harm(outcomes, value):
    one = outcomes[0]
    jobs = one.jobs.copy()
    jobs["energy_j"] = jobs["worst_energy_j"] = value
    energy = np.full_like(one.task_energy_j, value)
    checked(written(replace(one, jobs=jobs, task_energy_j=energy, idle_energy_j=one.idle_energy_j * value, served_bytes=value)))


def test_jobs_that_never_finish_are_told():
    late = Task(name="t", model=chain("m", 1), trace=(0.0, 1e-6, 2e-6, 3e-6), deadline_ms=1e-3, max_backlog=1)
    outcome = run(problem_of([late], {"m": [[5000]]}, duration_s=1e-5), "fcfs", layers=True, rates=True)
    assert outcome.metrics.status_counts[0].tolist() == [0, 2, 2, 0, 0]
    found = checked(written(outcome))
    assert "Violated without finishing: jobs" in found.texts


# ---- Names of results


def labels(outcomes, paths=None):
    return [one.label for one in labelled([(path, one) for path, one in zip(paths or "ab", outcomes, strict=True)])]


def test_results_are_named_by_what_tells_them_apart(outcomes):
    edf, herald = outcomes
    assert labels([edf, herald]) == ["edf", "herald"]
    assert labels([edf, replace(edf, seed=1)]) == ["edf, seed 0", "edf, seed 1"]
    changed = replace(edf, provenance={**edf.provenance, "settings": {"scenario.duration_s": 1, "mapper.alpha": 2}})
    assert labels([edf, changed]) == ["edf", "edf, with mapper.alpha=2"]
    nonsense = replace(edf, provenance={**edf.provenance, "settings": "none"})
    assert labels([edf, nonsense]) == ["edf, with scenario.duration_s=1", "edf"]
    assert labels([edf, edf], ["x/one.npz", "y/two.npz"]) == ["edf, one.npz", "edf, two.npz"]
    assert labels([edf, edf], ["x/one.npz", "y/one.npz"]) == ["edf", "edf (2)"]


def test_results_of_other_frames_are_not_compared(outcomes):
    edf, herald = outcomes
    text = written(edf, replace(herald, seed=1))
    assert "With nothing to compare, since no other result has the same problem and seed: edf, herald." in text
    assert "<strong>" not in text
    assert "nothing to compare" not in written(edf, herald)
    heavier = rtsched.simulate("vr_gaming", policy="herald", duration_s=0.2, load=1.1)
    assert "With nothing to compare, since no other result has the same problem and seed: edf, herald." in written(edf, heavier)


# ---- The timeline


def test_the_worst_window_holds_most_missed_deadlines(outcomes):
    from_ns, to_ns = worst_window(outcomes)
    assert to_ns - from_ns == WINDOW_NS
    due = np.concatenate([one.jobs["deadline_ns"][one.metrics.counts & (one.jobs["status"] != 0)] for one in outcomes])
    most = max(((due > at - 90_000_000) & (due <= at)).sum() for at in due.tolist())
    assert most > 0
    assert ((due > from_ns) & (due <= to_ns)).sum() >= most


def test_without_missed_deadlines_the_closest_job_is_shown(outcomes):
    herald = outcomes[1]
    assert not (herald.jobs["status"] != 0).any()
    from_ns, to_ns = worst_window([herald])
    allowed = herald.problem.task_deadline_ns[herald.jobs["task"]]
    closest = herald.jobs[np.argmax((herald.jobs["finish_ns"] - herald.jobs["release_ns"]) / allowed)]
    assert from_ns <= closest["deadline_ns"] <= to_ns


def test_layers_that_follow_each_other_are_one_bar():
    tasks = [once("t0", "m0", 3, deadline_ns=500), once("t1", "m1", 1, deadline_ns=900, release_ns=10)]
    outcome = run(problem_of(tasks, {"m0": [[100]] * 3, "m1": [[100]]}), "fcfs", layers=True)
    bars = bars_of(outcome, 0, 1000)
    assert list(zip(bars.lane.tolist(), bars.task.tolist(), bars.start_ns.tolist(), bars.end_ns.tolist(), strict=True)) == [
        (0, 0, 0, 300),
        (0, 1, 300, 400),
    ]
    cut = bars_of(outcome, 50, 350)
    assert (cut.start_ns.tolist(), cut.end_ns.tolist()) == ([50, 300], [300, 350])


def test_bars_cover_the_busy_time(outcomes):
    for one in outcomes:
        bars = bars_of(one, 0, one.end_ns)
        assert not bars.is_thinned
        busy = np.bincount(bars.lane, bars.end_ns - bars.start_ns, len(one.busy_ns))
        assert busy.tolist() == one.busy_ns.tolist()


def test_too_many_bars_are_thinned(outcomes, monkeypatch):
    monkeypatch.setattr("rtsched.report.html.timeline.MAX_BARS", 10)
    from_ns, to_ns = worst_window(outcomes)
    bars = bars_of(outcomes[0], from_ns, to_ns)
    assert bars.is_thinned
    assert "only one is shown" in written(outcomes[0])


def test_many_tasks_are_told_apart_by_hatches():
    n = 10
    tasks = [once(f"t{i}", f"m{i}", 1, deadline_ns=50) for i in range(n)]
    outcome = run(problem_of(tasks, {f"m{i}": [[100]] for i in range(n)}), "fcfs", layers=True, rates=True)
    text = written(outcome)
    checked(text)
    assert "url(#h1)" in text
    assert "url(#h2)" not in text


# ---- Hardware, axes


def test_dram_over_time_sums_to_what_was_moved(outcomes):
    for one in outcomes:
        edges = np.linspace(0, one.end_ns, 38)
        moved = (mean_allocation(one, edges) * np.diff(edges)).sum()
        assert moved == pytest.approx(one.served_bytes, rel=1e-3)
        assert mean_allocation(one, edges).max() <= one.problem.peak_bytes_per_ns * (1 + 1e-9)


@pytest.mark.parametrize(
    ("low", "high", "is_log"), [(0, 100, False), (0, 0.0031, False), (1, 1e6, True), (2.0, 2.3, True), (1e-9, 1e9, True)]
)
def test_axes_have_a_few_round_ticks_within(low, high, is_log):
    axis = Axis(low, high, 0, 100, is_log)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 8
    assert all(low <= one <= high for one in ticks)
    assert [float(axis.at(one)) for one in (low, high)] == pytest.approx([0, 100])
    assert all(len(f"{one:.6g}") <= 7 for one in ticks)


@pytest.mark.parametrize(("value", "told"), [(float("nan"), "- J"), (float("inf"), "inf J"), (0.0, "0 J"), (0.02, "20.0 mJ")])
def test_amounts_that_are_none_have_no_prefix(value, told):
    assert scaled(value, "J") == told


# ---- The command


def test_the_command_writes_the_page(saved, outcomes, tmp_path):
    result = invoke("report", saved / "edf.npz", saved / "herald.npz", "-o", tmp_path / "report.html")
    assert (result.exit_code, result.stdout) == (0, "")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert checked(text).tags["section"] == len(SECTIONS)
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    assert invoke("report", saved / "edf.npz", saved / "herald.npz", "-o", "-").stdout == text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("nothing.npz", "-o", "x.html"), ["nothing.npz: cannot be read: no such file or directory"]),
        (("edf.npz", "-o", "x.pdf"), ["-o x.pdf: must end in .html"]),
        (("edf.npz", "-o", "no/x.html"), ["no/x.html: cannot be written: no such file or directory"]),
        (("edf.npz", "edf.npz", "-o", "x.html"), ["edf.npz: is the same file as edf.npz"]),
        (("edf.npz", "./edf.npz", "-o", "x.html"), ["./edf.npz: is the same file as edf.npz"]),
        (("runs.txt", "-o", "x.html"), ["runs.txt: must be what 'rtsched run --save' wrote, and end in .npz; or a study"]),
        (("bad.npz", "a.txt", "-o", "x.pdf"), ["-o x.pdf: must end", "bad.npz: must be a saved outcome", "a.txt: must be what"]),
    ],
)
def test_bad_input_is_one_message_each(arguments, expected, saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(saved / "edf.npz", tmp_path)
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    before = sorted(one.name for one in tmp_path.iterdir())
    told = messages("report", *arguments)
    assert len(told) == len(expected)
    assert all(message.startswith(start) for message, start in zip(told, expected, strict=True))
    assert sorted(one.name for one in tmp_path.iterdir()) == before


def test_a_result_is_not_overwritten(saved, tmp_path):
    disguised = tmp_path / "edf.html"
    disguised.symlink_to(saved / "edf.npz")
    assert messages("report", saved / "edf.npz", "-o", disguised) == [f"-o {disguised}: would overwrite a result"]


def test_a_page_that_fails_leaves_the_old_one(saved, tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    target.write_text("old")

    def fail(results):
        raise KeyboardInterrupt

    broken = (*SECTIONS[:2], ("latency", "Latency", fail))
    monkeypatch.setattr("rtsched.report.html.page.SECTIONS", broken)
    result = invoke("report", saved / "edf.npz", "-o", target)
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_a_browser_has_nothing_to_complain_of(outcomes, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(written(*outcomes), encoding="utf-8")
    assert 'id="provenance"' in browsed(path, tmp_path)


# ---- The page about it


def test_the_page_tells_of_every_section():
    text = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
    assert [title for _, title, _ in SECTIONS if f"| {title} |" not in text] == []
    assert [line for line in text.splitlines() if len(line) > 130 and not line.startswith("|")] == []
