"""`rtsched report` of a study: what stands on its page, what is said of partial ones, and what is refused."""

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from program import invoke, messages
from sweeping import made
from web_pages import CHROMIUM, HOSTILE, browsed, checked

from rtsched.cli.study import read_subject
from rtsched.report.html.study.axes import lines_of
from rtsched.report.html.study.page import STUDY_SECTIONS, study_page
from rtsched.report.html.study.subject import Unit
from rtsched.report.text import digits
from rtsched.study.statistics import estimated
from rtsched.study.sweep.findings import asked, ratios

DOCS = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")

LOADS = {"path": "scenario.load", "values": [2, 1, 1.5]}
ALPHA = {"path": "mapper.alpha", "values": [0.5, 1.0]}
CORES = {"path": "platform.memory.efficiency", "values": [[1.0, 0.5], [1.0, 0.9]]}

N_SEEDS, N_POLICIES, N_CELLS = 3, 3, 12
"""Of the study; the loads vary slowest."""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A store with one study; only to be read."""
    path = tmp_path_factory.mktemp("swept") / "runs.sqlite"
    made(policies=["fcfs", "edf", "dream-fixed"], axes=[LOADS, CORES, ALPHA], seeds=N_SEEDS, metrics=["uxcost", "latency_p99_ns"]).run(
        path, workers=1
    )
    return path


@pytest.fixture
def copied(swept, tmp_path):
    """One that may be changed."""
    path = tmp_path / "copied.sqlite"
    path.write_bytes(swept.read_bytes())
    return path


def change(path, *statements):
    with sqlite3.connect(path) as db:
        for one in statements:
            db.execute(one)
    db.close()


def subject_of(path):
    return read_subject(str(path), None)


def written(path):
    return "".join(study_page(subject_of(path)))


def polygons(found):
    """Bands of all figures."""
    return [value for tag, key, value in found.attributes if (tag, key) == ("polygon", "class")]


# What stands on it


def test_the_page_is_sound_and_has_every_section(swept):
    found = checked(written(swept))
    assert [one for one in found.ids if one in {name for name, *_ in STUDY_SECTIONS}] == [name for name, *_ in STUDY_SECTIONS]
    assert found.tags["h1"] == 1
    assert found.tags["caption"] == found.tags["table"]
    assert found.tags["figcaption"] == found.tags["figure"] == 2 + 2 * 4  # costs; two axes of numbers, four metrics
    assert len(polygons(found)) == 2 * 4 * N_POLICIES
    assert [value for tag, key, value in found.attributes if (tag, key) == ("svg", "role")] == ["img"] * found.tags["figure"]
    assert "Partial" not in "".join(found.texts)


def test_the_figures_stand_there(swept):
    subject = subject_of(swept)
    runs, text = subject.runs, written(swept)
    question = asked(runs)
    base = question.base
    for i, one in enumerate(ratios(question, "uxcost")):
        uxcost = runs.values[runs.metrics.index("uxcost")]
        ratio = np.exp(np.log(uxcost[:, i] / uxcost[:, base]).mean())
        assert f'<th scope="row">{one.policy}</th><td class="n">{digits(ratio)}</td>' in text
    assert f"Only {N_SEEDS} seeds: intervals of fewer than 10 are too narrow." in text
    assert subject.origin.inputs_sha256 in text
    assert len(re.findall(r"<caption>load [\d.]+, efficiency ", text)) == N_CELLS


def test_a_cell_has_means_intervals_ranks_and_seeds(swept):
    """The table of the first cell against what the runs say."""
    subject = subject_of(swept)
    runs, text = subject.runs, written(swept)
    cell = text[text.index("<caption>load 2, efficiency [1.0, 0.5], alpha 0.5</caption>") :]
    rows = re.findall(r"<tr>(.*?)</tr>", cell[: cell.index("</table>")])[1:]
    told = [re.sub(r"</?strong>", "", one) for one in rows]
    told = [re.findall(r">([^<]*)</t[hd]>", one) for one in told]
    assert [one[1] for one in told] == ["uxcost"] * N_POLICIES + ["latency_p99_ns, ms"] * N_POLICIES
    uxcost = runs.values[runs.metrics.index("uxcost"), 0]
    for policy, _, rank, mean, interval, n_seeds, needed, ties in told[:N_POLICIES]:
        own = uxcost[subject.policies.index(policy)]
        found = estimated(own[np.newaxis])[0]
        assert (mean, n_seeds) == (digits(own.mean()), str(N_SEEDS))
        assert interval == f"{digits(float(found.low))} to {digits(float(found.high))}"
        better = sum((other - own).max() < 0 for other in uxcost)  # of three values the interval goes from end to end
        assert rank == str(1 + better)
        tied = [name for name, other in zip(subject.policies, uxcost, strict=True) if (other - own).min() <= 0 <= (other - own).max()]
        assert ties == ", ".join(name for name in tied if name != policy)
        assert (needed == "-") == (policy == subject.question.baseline)
    assert [int(one[2]) for one in told[:N_POLICIES]] == sorted(int(one[2]) for one in told[:N_POLICIES])


def test_a_line_is_the_mean_of_cells_that_differ_in_nothing_else(swept):
    subject = subject_of(swept)
    columns = subject.runs.columns()
    lines = lines_of(subject)
    assert [(one.path, one.values, one.cells.shape) for one in lines] == [
        ("scenario.load", (1.0, 1.5, 2.0), (3, 4)),
        ("mapper.alpha", (0.5, 1.0), (2, 6)),
    ]
    for line in lines:
        found = line.of(subject, "uxcost")
        for j, value in enumerate(line.values):
            for i, policy in enumerate(subject.policies):
                own = (columns[line.path] == value) & (columns["policy"] == policy)
                assert found.mean[j, i] == pytest.approx(columns["uxcost"][own].mean())
                assert found.low[j, i] <= found.mean[j, i] <= found.high[j, i]
    assert np.ptp(lines[1].of(subject, "uxcost").mean[:, :2]) == pytest.approx(np.ptp(lines[1].of(subject, "uxcost").mean[0, :2]))


def test_the_same_study_gives_the_same_bytes(swept, copied):
    assert written(swept) == written(copied).replace("copied.sqlite", "runs.sqlite")


def test_scenarios_and_platforms_have_figures_of_their_own(tmp_path):
    platforms = ["dream_4k_1ws2os", "dream_4k_1os2ws"]
    made(platforms=platforms, axes=[LOADS], seeds=2, duration_s=0.05).run(tmp_path / "s.sqlite", workers=1)
    found = checked(written(tmp_path / "s.sqlite"))
    assert [one.pair.label for one in lines_of(subject_of(tmp_path / "s.sqlite"))] == [f"vr_gaming on {one}" for one in platforms]
    assert found.tags["figure"] == 2 * 2 + 2 * 3
    assert {"scenario.load, vr_gaming on dream_4k_1os2ws", "platform dream_4k_1ws2os, load 2"} <= set(found.texts)


def test_one_seed_has_no_interval(tmp_path):
    made(axes=[LOADS], seeds=1, duration_s=0.05).run(tmp_path / "s.sqlite", workers=1)
    text = written(tmp_path / "s.sqlite")
    assert polygons(checked(text)) == []
    assert "One seed: there is no interval, and nothing is better or worse beyond doubt." in text


def test_one_cell_is_named_by_its_scenario(tmp_path):
    made(axes=[], seeds=2, duration_s=0.05, platforms=None).run(tmp_path / "s.sqlite", workers=1)
    text = written(tmp_path / "s.sqlite")
    checked(text)
    assert "<caption>vr_gaming on dream_4k_1ws2os</caption>" in text
    assert "No axis has two values that are numbers" in text


@pytest.mark.parametrize(
    ("metric", "values", "told"),
    [
        ("violation_rate", [0.25], "25.0 (12.5 to 37.5)"),
        ("energy_j", [0.004], "4.00 (2.00 to 6.00)"),
        ("latency_p99_ns", [3e9], "3.00 (1.50 to 4.50)"),
        ("drops", [1234.0], "1,234 (617 to 1,851)"),
    ],
)
def test_metrics_in_their_units(metric, values, told):
    from rtsched.study.intervals import Estimates

    one = np.array(values)
    unit = Unit.of(metric, np.append(one, np.nan))
    assert unit.both(Estimates(one, 0.5 * one, 1.5 * one, np.array([9]))[0]) == told
    assert unit.titled(metric) == f"{metric}, {unit.name}"


# Partial ones


def test_a_partial_study_says_what_is_missing(copied):
    """Killed in the fourth cell of six that have the first two loads, whose second policy has two of three seeds."""
    n_there = (5 * N_POLICIES + 1) * N_SEEDS + 2
    change(copied, f"DELETE FROM members WHERE place >= {n_there}")
    text = written(copied)
    checked(text)
    assert f"Partial: {n_there} of 108 runs are there. 5 of 12 cells have all of theirs; only these" in text
    missing = text[text.index("<caption>What is missing: runs that are there</caption>") :]
    missing = missing[: missing.index("</table>")]
    assert missing.count("<tr>") == 1 + 12 - 5
    name = "load 1, efficiency [1.0, 0.5], alpha 1"
    cells = "".join(f'<td class="n">{one}</td>' for one in ("all", "2 of 3", "0 of 3"))
    assert f">{name}</th>{cells}</tr>" in missing
    table = text[text.index(f"<caption>{name} (partial: 5 of 9 runs)</caption>") :]
    rows = re.findall(r'<th scope="row">[\w-]+</th><td>[\w, ]+</td><td class="n">([^<]*)</td>', table[: table.index("</table>")])
    assert rows == ["-"] * 2 * N_POLICIES  # no rank
    (line, _) = lines_of(subject_of(copied))
    assert (line.values, line.cells.tolist()) == ((1.0, 2.0), [[4], [0]])  # what differs in nothing else


def test_cells_that_are_partial_are_in_no_mean(copied):
    change(copied, "DELETE FROM members WHERE place = 0", "DELETE FROM members WHERE place = 107")
    subject = subject_of(copied)
    assert [one.cells for one in subject.pairs] == [tuple(range(1, 11))]
    assert 0 not in lines_of(subject)[0].cells
    assert 11 not in lines_of(subject)[0].cells
    assert f"mean uxcost</dt><dd>{digits(float(subject.values('uxcost')[1:11, 0].mean()))}<" in written(copied)


@pytest.mark.parametrize("n_there", [0, 1, 5])
def test_nothing_is_whole(copied, n_there):
    change(copied, f"DELETE FROM members WHERE place >= {n_there}")
    text = written(copied)
    checked(text)
    assert f"Partial: {n_there} of 108 runs are there. 0 of 12 cells have all of theirs" in text
    assert "No cell has all of its runs, so nothing is said over all cells." in text
    assert ("No run is there." in text) == (n_there == 0)


def test_metrics_that_are_undefined_do_no_harm(copied):
    change(copied, "UPDATE scalars SET value = NULL WHERE metric IN ('uxcost', 'energy_j')")
    text = written(copied)
    checked(text)
    assert "mean uxcost</dt><dd>-<" in text


@pytest.mark.parametrize("value", [0.0, -1.0, 1e300])
def test_metrics_that_mean_nothing_do_no_harm(copied, value):
    change(copied, f"UPDATE scalars SET value = {value} WHERE metric IN ('uxcost', 'energy_j')")
    checked(written(copied))


def test_hostile_names_are_inert(copied):
    with sqlite3.connect(copied) as db:
        ((text,),) = db.execute("SELECT definition FROM studies").fetchall()
        study = json.loads(text)
        study |= {"name": HOSTILE, "description": HOSTILE, "policies": ["fcfs", f"{HOSTILE}.py:x", "\x1b[2J\u202e"]}
        study["axes"][1] = {"path": f"platform.{HOSTILE}", "values": [HOSTILE, "other"]}
        study["axes"][2] = {"path": f"mapper.{HOSTILE}", "values": [1, 2]}
        db.execute("UPDATE studies SET name = ?, definition = ?", (HOSTILE, json.dumps(study)))
    db.close()
    text = written(copied)
    found = checked(text)
    assert any(HOSTILE in one for one in found.texts)
    assert "\x1b" not in text
    assert "\u202e" not in text


# The command


def test_the_command_writes_the_page(swept, tmp_path):
    text = written(swept)
    for where in (swept, swept.parent):
        result = invoke("report", where, "-o", tmp_path / "study.html")
        assert (result.exit_code, result.output) == (0, "")
        assert (tmp_path / "study.html").read_text(encoding="utf-8") == text
    assert [one.name for one in tmp_path.iterdir()] == ["study.html"]
    assert invoke("report", swept, "--study", "s", "-o", "-").stdout == text


def test_what_is_refused(swept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text("name: s\nscenarios: [vr_gaming]\npolicies: [fcfs]\n")
    (tmp_path / "bad.yaml").write_text("name: s\n")
    (tmp_path / "bad.sqlite").write_text("no\n" * 1000)
    (tmp_path / "empty").mkdir()
    assert messages("report", "s.yaml", "-o", "x.html") == ["s.sqlite: no such file; rtsched sweep s.yaml makes it"]
    assert messages("report", "no.sqlite", "-o", "x.pdf") == ["-o x.pdf: must end in .html", "no.sqlite: no such file"]
    assert messages("report", "empty", "-o", "x.html") == ["empty/runs.sqlite: no such file"]
    assert messages("report", "bad.sqlite", "-o", "no/x.html") == [
        "no/x.html: cannot be written: no such file or directory",
        "bad.sqlite: is no store of runs",
    ]
    assert [one.partition(" ")[0] for one in messages("report", "bad.yaml", "-o", "x.html")] == ["bad.yaml:1:1"] * 2
    assert messages("report", swept, "--study", "t", "-o", "x.html") == [f"{swept}: holds no study 't'; it holds: s"]
    both = f"{swept}: is a study, whose page is about nothing else, but 1 more were given"
    assert messages("report", "edf.npz", swept, "-o", "x.html") == [both]
    assert messages("report", "edf.npz", "--study", "s", "-o", "x.html")[0] == "--study s: chooses one of a store, but no store was given"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bad.sqlite", "bad.yaml", "empty", "s.yaml"]


def test_a_store_of_several_studies(copied):
    made(name="other", seeds=1, duration_s=0.05).run(copied, workers=1)
    assert messages("report", copied, "-o", "-") == [f"{copied}: holds several studies; choose one with --study: other, s"]
    assert "<title>other</title>" in invoke("report", copied, "--study", "other", "-o", "-").stdout


def test_the_store_is_not_overwritten(copied):
    disguised = copied.with_suffix(".html")
    disguised.symlink_to(copied)
    for where in (copied, disguised.with_name(copied.name)):
        assert messages("report", where, "-o", disguised) == [f"-o {disguised}: would overwrite the store"]


def test_a_page_that_fails_leaves_the_old_one(swept, tmp_path, monkeypatch):
    target = tmp_path / "study.html"
    target.write_text("old")

    def fail(subject):
        raise KeyboardInterrupt

    monkeypatch.setattr("rtsched.report.html.study.page.STUDY_SECTIONS", (*STUDY_SECTIONS[:2], ("cells", "Cells", fail)))
    result = invoke("report", swept, "-o", target)
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_a_browser_has_nothing_to_complain_of(swept, tmp_path):
    path = tmp_path / "study.html"
    path.write_text(written(swept), encoding="utf-8")
    assert 'id="provenance"' in browsed(path, tmp_path)


# The page about it


def test_the_page_tells_of_every_section():
    assert [title for _, title, _ in STUDY_SECTIONS if f"| {title} |" not in DOCS] == []


def test_the_example_on_the_page_runs(tmp_path):
    """Its study, and the commands below it."""
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", DOCS, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "loads.yaml").write_text(text)
    (block,) = [one for one in re.findall(r"^```console\n(.*?)^```$", DOCS, flags=re.MULTILINE | re.DOTALL) if "loads.yaml" in one]
    for line in block.splitlines():
        program = [sys.executable, "-P", "-m", *line.removeprefix("$ ").split()]
        done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")
    found = checked((tmp_path / "loads.html").read_text(encoding="utf-8"))
    assert found.tags["figure"] == 2 + 3
