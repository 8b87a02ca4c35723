"""Figures for papers: what they draw is what the outcomes say; their size, letters and colours; and the page that shows them."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rtsched
from rtsched.attribution import PARTS
from rtsched.errors import InputError
from rtsched.metrics import SCALARS
from rtsched.policies.registry import POLICIES
from rtsched.report import palette
from rtsched.report.figures import style
from rtsched.report.html.page import page
from rtsched.report.html.results import labelled
from rtsched.timeline import bars_of, tile_names, worst_window

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from rtsched.report import figures

PAGE = (Path(__file__).parents[2] / "docs" / "figures.md").read_text(encoding="utf-8")
CODE = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def outcomes():
    return [rtsched.simulate("vr_gaming", policy=one, duration_s=0.5, layers=True, rates=True) for one in ("edf", "herald")]


@pytest.fixture(scope="module")
def found():
    return rtsched.compare("vr_gaming", policies=["fcfs", "edf", "herald"], seeds=range(3), duration_s=0.3)


@pytest.fixture(scope="module")
def drawn(outcomes, found):
    return {
        "latency": figures.latency(outcomes),
        "utilisation": figures.utilisation(outcomes),
        "comparison": figures.comparison(found),
        "uxcost": figures.uxcost(outcomes),
        "causes": figures.causes(outcomes),
        "timeline": figures.timeline(outcomes[0]),
    }


def words(figure):
    svg = style.to_bytes(figure, ".svg")
    return ["".join(node.itertext()).strip() for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def widths(ax):
    return [bar.get_width() for bar in ax.patches]


# ---- What is drawn


def test_latencies_are_shares_of_counting_jobs(outcomes):
    figure = figures.latency(outcomes)
    assert [ax.get_title() for ax in figure.axes if ax.get_visible()] == list(outcomes[0].problem.task_names)
    ax = figure.axes[1]
    problem = outcomes[0].problem
    for line, outcome in zip(ax.lines, outcomes, strict=False):
        own = outcome.jobs[(outcome.jobs["task"] == 1) & (outcome.jobs["status"] <= 1)]
        ms = np.sort(own["finish_ns"] - own["deadline_ns"] + problem.task_deadline_ns[1]) * 1e-6
        assert line.get_xdata()[1:-1] == pytest.approx(ms)
        assert line.get_ydata()[-1] == pytest.approx(100 * len(ms) / outcome.metrics.n_counting[1])
    assert ax.lines[-1].get_xdata()[0] == pytest.approx(problem.task_deadline_ns[1] * 1e-6)


def test_a_line_ends_below_100_where_jobs_did_not_finish():
    outcome = rtsched.simulate("vr_gaming", policy="dream", load=4, duration_s=0.3)
    task = int(np.argmax(outcome.metrics.status_counts[:, 2]))
    ax = figures.latency(outcome, [outcome.problem.task_names[task]]).axes[0]
    n_ended = ((outcome.jobs["task"] == task) & (outcome.jobs["status"] <= 1)).sum()
    assert ax.lines[0].get_ydata()[-1] == pytest.approx(100 * n_ended / outcome.metrics.n_counting[task])
    assert ax.lines[0].get_ydata()[-1] < 100


def test_utilisation_is_that_of_the_metrics(outcomes):
    (ax,) = figures.utilisation(outcomes).axes
    expected = [100 * value for one in outcomes for value in (*one.metrics.utilisation, one.metrics.memory_utilisation)]
    assert widths(ax) == pytest.approx(expected)
    assert [one.get_text() for one in ax.get_yticklabels()] == [*tile_names(outcomes[0]), "DRAM"]


def test_bars_of_a_comparison_are_its_means(found):
    figure = figures.comparison(found, ["energy_j", "uxcost"])
    for ax, metric in zip(figure.axes, ("energy_j", "uxcost"), strict=True):
        estimates = found.means[found.metrics.index(metric)]
        factor = widths(ax)[0] / estimates.mean[0]
        assert np.log10(factor) == pytest.approx(round(np.log10(factor)))
        assert widths(ax) == pytest.approx(estimates.mean * factor)
        ends = np.array([[segment[0][0], segment[1][0]] for segment in ax.collections[-1].get_segments()])
        assert ends == pytest.approx(np.column_stack([estimates.low, estimates.high]) * factor)
    assert "energy, mJ" in words(figure)
    assert f"{SCALARS['uxcost'].better} is better" in words(figure)


def test_a_comparison_of_one_seed_has_no_intervals():
    one = rtsched.compare("vr_gaming", policies=["fcfs", "edf"], seeds=[0], duration_s=0.2, metrics=["latency_p99_ns", "uxcost"])
    figure = figures.comparison(one)
    assert all(len(collection.get_segments()) == 0 for ax in figure.axes for collection in ax.collections)
    assert "latency p99, ms" in words(figure)
    assert widths(figure.axes[0]) == pytest.approx(one.values[0, :, 0] * 1e-6)


def test_the_factors_of_uxcost_multiply_to_it(outcomes):
    rates, energies = figures.uxcost(outcomes).axes
    for i, one in enumerate(outcomes):
        sums = [sum(widths(ax)[i :: len(outcomes)]) for ax in (rates, energies)]
        assert sums[0] * sums[1] == pytest.approx(one.metrics.uxcost)


def test_causes_are_shares_of_the_attribution(outcomes):
    busy = rtsched.simulate("vr_gaming", policy="fcfs", load=2, duration_s=0.3, layers=True, rates=True)
    (ax,) = figures.causes([outcomes[0], busy]).axes
    names, shares = [], []
    for outcome in (outcomes[0], busy):
        found = rtsched.attribute(outcome)
        late = np.flatnonzero(found.n_late)
        names += [f"{outcome.problem.task_names[i]}, {outcome.policy} ({found.n_late[i]})" for i in late]
        shares.append(100 * found.late_ns[late] / found.late_ns[late].sum(axis=1, keepdims=True))
    assert [one.get_text() for one in ax.get_yticklabels()] == names
    assert len(late) > 1
    drawn = np.array(widths(ax)).reshape(len(PARTS), -1).T
    assert drawn == pytest.approx(np.concatenate(shares))


def test_bars_of_a_timeline_are_those_of_the_outcome(outcomes):
    outcome = outcomes[0]
    window = worst_window([outcome])
    (ax,) = figures.timeline(outcome).axes
    bars = bars_of(outcome, *window)
    corners = np.concatenate([path.vertices[:4] for one in ax.collections for path in one.get_paths()]).reshape(-1, 4, 2)
    spans = sorted((round(float(c[:, 1].mean())), float(c[:, 0].min()), float(c[:, 0].max())) for c in corners)
    expected = sorted(zip(bars.lane.tolist(), (bars.start_ns * 1e-6).tolist(), (bars.end_ns * 1e-6).tolist(), strict=True))
    assert np.array(spans) == pytest.approx(np.array(expected))
    met, missed = ax.lines[:2]
    due = (outcome.jobs["deadline_ns"] > window[0]) & (outcome.jobs["deadline_ns"] <= window[1])
    assert len(met.get_xdata()) == (due & (outcome.jobs["status"] == 0)).sum()
    assert len(missed.get_xdata()) == (due & (outcome.jobs["status"] == 1)).sum() > 0
    assert ax.get_xlim() == pytest.approx((window[0] * 1e-6, window[1] * 1e-6))


def test_a_long_timeline_is_thinned_and_says_so(outcomes, monkeypatch):
    module = sys.modules["rtsched.report.figures.timeline"]  # the package has the function of that name
    monkeypatch.setattr(module, "MAX_BARS", 20)
    monkeypatch.setattr(module, "DOTS", 50)
    assert "time, ms, thinned" in words(figures.timeline(outcomes[0], 0, outcomes[0].end_ns))


# ---- How it looks


@pytest.mark.parametrize("name", ["latency", "utilisation", "comparison", "uxcost", "causes", "timeline"])
def test_files_have_the_asked_width_and_letters_that_stay_letters(name, drawn, tmp_path):
    figure = drawn[name]
    inches = figures.COLUMN_INCHES if name == "utilisation" else figures.PAGE_INCHES
    assert figure.get_size_inches()[0] == inches
    figures.save(figure, tmp_path / "a.pdf")
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert float(re.search(rb"/MediaBox \[ ?0 0 ([\d.]+)", pdf)[1]) == pytest.approx(72 * inches)
    assert b"/Type3" not in pdf
    assert b"/FontFile2" in pdf
    assert b"CreationDate" not in pdf
    assert len(words(figure)) > 5


def test_a_column_is_as_wide_as_it_is_asked_for(outcomes, found):
    for figure in (
        figures.latency(outcomes, width_inches=3.3),
        figures.comparison(found, width_inches=3.3),
        figures.uxcost(outcomes, width_inches=3.3),
        figures.causes(outcomes[0], width_inches=3.3),
        figures.timeline(outcomes[0], width_inches=3.3),
        figures.utilisation(outcomes, width_inches=3.3),
    ):
        assert figure.get_size_inches()[0] == 3.3
        figure.draw_without_rendering()
        for ax in figure.axes:
            if ax.get_visible():
                box = ax.get_tightbbox()
                assert -1 <= box.x0 <= box.x1 <= figure.bbox.width + 1


def test_axes_of_ones_own_are_used(outcomes, found):
    mine = Figure()
    (one, other), (third, fourth) = mine.subplots(2, 2)
    assert figures.timeline(outcomes[0], ax=one) is mine
    assert figures.uxcost(outcomes, ax=[other, third]) is mine
    assert figures.comparison(found, ["uxcost"], ax=fourth) is mine
    assert mine.axes == [one, other, third, fourth]
    assert other.patches
    assert third.patches
    with pytest.raises(InputError, match=r"^ax: must be 2 axes, one for each panel, got 1$"):
        figures.uxcost(outcomes, ax=one)


def test_a_policy_has_one_colour_on_pages_and_on_paper(outcomes, found):
    (ax,) = figures.utilisation(outcomes).axes
    colours = {"edf": to_hex(ax.patches[0].get_facecolor()), "herald": to_hex(ax.patches[-1].get_facecolor())}
    other = figures.comparison(found, ["uxcost"]).axes[0]
    assert [to_hex(one.get_facecolor()) for one in other.patches][1:] == list(colours.values())
    assert [to_hex(line.get_color()) for line in figures.latency(outcomes).axes[0].lines[:2]] == list(colours.values())
    text = "".join(page(labelled([("", one) for one in outcomes])))
    slots = re.findall(r'class="l s(\d)"', text[text.index('class="legend"') :])[:2]
    assert [palette.LINES[int(slot)] for slot in slots] == list(colours.values())


def test_colours_are_shared_only_when_they_are_used_up():
    assert palette.slots(["dream", "dream", "dream"]) == [0, 1, 2]
    assert palette.slots(["edf", "dream", "dream-fixed", "mine"]) == [5, 0, 1, 2]
    for n in (8, 20):
        slots = palette.slots(list(POLICIES)[:n])
        assert len(set(slots)) == n
        assert len({slot % 8 for slot in slots}) == 8
    for lists in (palette.LINES, palette.DARK_LINES, palette.AREAS, palette.ON_AREAS):
        assert len(lists) == 8
    looks = [tuple(style.look_of(i).values()) for i in range(32)]
    assert len(set(looks)) == 32
    assert len({str(style.line_of(i)) for i in range(8)}) == 8


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_lines_can_be_seen_on_white_and_on_black():
    assert all(1.05 / (luminance(one) + 0.05) >= 3 for one in palette.LINES)
    assert all((luminance(one) + 0.05) / 0.05 >= 3 for one in palette.DARK_LINES)


def test_the_same_outcomes_give_the_same_bytes(outcomes, found):
    for draw in (lambda: figures.comparison(found, ["uxcost"], width_inches=2), lambda: figures.timeline(outcomes[0], width_inches=2)):
        assert len({style.to_bytes(draw(), suffix) for suffix in style.SUFFIXES for _ in range(2)}) == len(style.SUFFIXES)


# ---- What is refused


def test_faults_name_what_is_wrong(outcomes, found, tmp_path):
    with pytest.raises(InputError, match=r"^tasks: there is no 'gze'; there are gaze, hand, "):
        figures.latency(outcomes, ["gze"])
    with pytest.raises(InputError, match=r"^metrics: 'antt' was not compared; uxcost, "):
        figures.comparison(found, ["antt"])
    with pytest.raises(InputError, match=r"^the outcome has no layers; run with layers=True$"):
        figures.timeline(replace(outcomes[0], layers=None))
    with pytest.raises(InputError, match=r"^the outcome has no rates; run with layers=True and rates=True$"):
        figures.causes(replace(outcomes[0], rates=None))
    with pytest.raises(InputError, match=r"^outcomes: no finished job was late$"):
        figures.causes(outcomes[1])
    for draw in (figures.latency, figures.utilisation, figures.uxcost, figures.causes):
        with pytest.raises(InputError, match=r"^outcomes: must be at least one$"):
            draw([])
    with pytest.raises(InputError, match=r"a\.tiff: must end in \.png, \.svg or \.pdf$"):
        figures.save(Figure(), tmp_path / "a.tiff")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_each_says_what_to_install(outcomes, found, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (
        lambda: figures.latency(outcomes),
        lambda: figures.utilisation(outcomes),
        lambda: figures.comparison(found),
        lambda: figures.uxcost(outcomes),
        lambda: figures.causes(outcomes),
        lambda: figures.timeline(outcomes[0]),
    ):
        with pytest.raises(InputError, match=r"^pictures need matplotlib: pip install 'rtsched\[plot\]'$"):
            draw()


def test_names_are_no_formulas(outcomes):
    problem = replace(outcomes[0].problem, task_names=("$x", "\x1b[2J", "y" * 60, "a_b", "c$d$"))
    shown = words(figures.uxcost(replace(outcomes[0], problem=problem)))
    assert {"$x", "\\x1b[2J", "c$d$", "y" * 27 + "…"} <= set(shown)


# ---- The page


@pytest.mark.parametrize("code", CODE)
def test_examples_of_the_page_run(code, tmp_path):
    done = subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(re.findall(r'"(\w+\.(?:pdf|svg))"', code))


def test_the_page_has_every_function():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE) == [
        "latency",
        "utilisation",
        "comparison",
        "uxcost",
        "causes",
        "timeline",
    ]
    assert all(f"figures.{name}" in "".join(CODE) for name in figures.__all__)
