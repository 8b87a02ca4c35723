"""The figures of the reproduction of DREAM."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rtsched.report.palette import HUES
from rtsched.report.study_figures import figure_of, legend, settings_figure, styles
from rtsched.study.reproduce.cells import Cell, Stage
from rtsched.study.reproduce.dream.stages import axis
from rtsched.study.reproduce.dream.study import DreamFindings
from rtsched.study.reproduce.dream.tables import Reduction, reductions, settings_table
from rtsched.study.reproduce.settings import setting_of

__all__ = ["stage_figures"]


def stage_figures(findings: DreamFindings, name: str) -> dict[str, bytes]:
    """The figures of a stage by the names of their files, without a suffix."""
    stage = findings.stages[name]
    look = styles(findings.plan.policies.baselines, findings.plan.policies.variants)
    found: dict[str, bytes] = {}
    if not stage.runs:
        return found
    if name == "main":
        found["main"] = _by_platform(stage, look)
    if name in ("main", "loads"):
        found["reductions"] = _reductions(findings, look)
    if name == "loads":
        found["loads"] = _lines(stage, look, "load, from the first misses to the collapse", "violation_rate")
    if name == "cascade":
        found["cascade"] = _lines(stage, look, "probability that the cascade goes on", "uxcost")
    if name == "errors":
        found["errors"] = _lines(stage, look, "standard deviation of actual / estimated time, %", "uxcost")
    if name == "landscape":
        found["landscape"] = _landscapes(findings)
    if name == "settings":
        found["settings"] = settings_figure(settings_table(findings), "UXCost")
    return found


def _geometric(stage: Stage, cells: Sequence[Cell], metric: str) -> float:
    values = np.concatenate([stage.values(cell, metric) for cell in cells]) if cells else np.array([])
    values = values[np.isfinite(values) & (values > 0)]
    return float(np.exp(np.log(values).mean())) if len(values) else math.nan


def _percent(stage: Stage, cells: Sequence[Cell], metric: str) -> float:
    return 100 * float(np.mean([stage.mean(cell, metric) for cell in cells])) if cells else math.nan


def _by_platform(stage: Stage, look: Mapping[str, dict[str, Any]]) -> bytes:
    """UXCost of every policy on every platform, a panel for each scenario."""
    scenarios = list(dict.fromkeys(cell.scenario for cell in stage.runs))
    platforms = list(dict.fromkeys(cell.platform for cell in stage.runs))
    policies = list(dict.fromkeys(cell.policy for cell in stage.runs))
    with figure_of(len(scenarios), (2.6, 2.4)) as (figure, axes, file):
        for ax, scenario in zip(axes, scenarios, strict=True):
            for place, policy in enumerate(policies):
                shift = (place - (len(policies) - 1) / 2) * 0.7 / len(policies)
                y = [_geometric(stage, _cells(stage, scenario=scenario, platform=one, policy=policy), "uxcost") for one in platforms]
                ax.plot(np.arange(len(platforms)) + shift, y, linestyle="", markersize=3, **look[policy])
            ax.set(yscale="log", title=scenario, ylabel="UXCost")
            ax.set_xticks(range(len(platforms)), [one.removeprefix("dream_") for one in platforms], rotation=45, ha="right")
            ax.grid(True, axis="y", linewidth=0.3, color="#cccccc")
        legend(figure, look, policies)
    return file.getvalue()


def _cells(stage: Stage, **fixed: str) -> list[Cell]:
    return [cell for cell in stage.runs if all(getattr(cell, part) == value for part, value in fixed.items())]


def _lines(stage: Stage, look: Mapping[str, dict[str, Any]], label: str, metric: str) -> bytes:
    """A metric over the cases of a stage, a panel for each scenario, a line for each policy."""
    scenarios = list(dict.fromkeys(cell.scenario for cell in stage.runs))
    policies = list(dict.fromkeys(cell.policy for cell in stage.runs))
    with figure_of(len(scenarios)) as (figure, axes, file):
        for ax, scenario in zip(axes, scenarios, strict=True):
            for policy in policies:
                by_case = [_cells(stage, case=case, scenario=scenario, policy=policy) for case in stage.cases]
                summed = _geometric if metric == "uxcost" else _percent
                y = [summed(stage, cells, metric) for cells in by_case]
                ax.plot(range(len(y)), y, linewidth=1, markersize=3, **look[policy])
            ax.set_xticks(range(len(stage.cases)), stage.cases)
            ax.set(title=scenario, ylabel="UXCost" if metric == "uxcost" else "deadlines violated, %")
            if metric == "uxcost":
                ax.set_yscale("log")
            ax.grid(True, axis="y", linewidth=0.3, color="#cccccc")
        figure.supxlabel(label, fontsize=8)
        legend(figure, look, policies)
    return file.getvalue()


def _reductions(findings: DreamFindings, look: Mapping[str, dict[str, Any]]) -> bytes:
    """UXCost of the variants relative to each baseline with its interval, a panel for each load."""
    from matplotlib.ticker import MaxNLocator, NullFormatter

    found = [one for one in reductions(findings) if one.where == "contested" and one.uxcost.n_cells]
    cases = list(dict.fromkeys(one.case for one in found)) or ["no missed deadlines"]
    names = findings.plan.policies
    with figure_of(len(cases), sharey=True) as (figure, axes, file):
        for ax, case in zip(axes, cases, strict=True):
            for place, policy in enumerate(names.variants):
                shift = (place - (len(names.variants) - 1) / 2) * 0.72 / len(names.variants)
                _points(ax, [one for one in found if (one.case, one.policy) == (case, policy)], shift, names.baselines, look[policy])
            ax.axvline(1, color="black", linewidth=0.6)
            ax.set(xscale="log", title=case)
            ax.xaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 5, 10)))
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.set_yticks(range(len(names.baselines)), names.baselines)
        figure.supxlabel("UXCost / UXCost of the baseline, where deadlines are missed", fontsize=8)
        legend(figure, look, names.variants)
    return file.getvalue()


def _points(ax: Any, found: Sequence[Reduction], shift: float, baselines: Sequence[str], look: dict[str, Any]) -> None:
    y = [baselines.index(one.baseline) + shift for one in found]
    x = np.array([one.uxcost.mean for one in found])
    ends = np.array([[one.uxcost.mean - one.uxcost.low, one.uxcost.high - one.uxcost.mean] for one in found]).reshape(-1, 2).T
    ax.errorbar(x, y, xerr=np.nan_to_num(np.maximum(ends, 0)), linestyle="", markersize=3, linewidth=0.8, **look)


def _landscapes(findings: DreamFindings) -> bytes:
    """UXCost over the two parameters, with the tuner's way."""
    stage, names = findings.stages["landscape"], findings.plan.policies
    fixed = findings.policies[names.fixed]
    x, y = (axis(setting_of(fixed, path), findings.plan.n_grid) for path in names.axes)
    pairs = list(dict.fromkeys(cell.pair for cell in stage.runs))
    with figure_of(len(pairs), (2.9, 2.5)) as (figure, axes, file):
        for ax, pair in zip(axes, pairs, strict=True):
            cells = [[Cell(f"{a:g},{b:g}", *pair, names.fixed) for a in x] for b in y]
            values = [[_geometric(stage, [cell], "uxcost") if cell in stage.runs else math.nan for cell in row] for row in cells]
            shown = ax.pcolormesh(x, y, np.log10(values), cmap="cividis", shading="nearest")
            figure.colorbar(shown, ax=ax, label="log10 UXCost")
            path = findings.paths.get(pair[0])
            if path is not None and path.parameters.ndim == 2 and path.parameters.shape[1] >= 2:
                ax.plot(*path.parameters[:, :2].T, color="white", linewidth=1, marker=".", markersize=4)
                ax.plot(*path.parameters[-1, :2], color=HUES["vermilion"], marker="*", markersize=8)
            ax.set(title=pair[0], xlabel=names.axes[0].partition(".")[2], ylabel=names.axes[1].partition(".")[2])
    return file.getvalue()
