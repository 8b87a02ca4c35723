"""The figures of the reproduction of MoCA."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rtsched.report.palette import HUES
from rtsched.report.study_figures import figure_of, legend, settings_figure, styles
from rtsched.study.reproduce.moca.plan import TRACE
from rtsched.study.reproduce.moca.study import MocaFindings
from rtsched.study.reproduce.moca.sweeps import queues_table, settings_table, steps_table, swept_table, together_cells_table
from rtsched.study.reproduce.moca.tables import EVERY, RATIOS, comparisons, places, summary_table
from rtsched.study.reproduce.tables import Table

__all__ = ["stage_figures"]

Look = Mapping[str, dict[str, Any]]

GROUPS = {
    "sla_percent": {"color": HUES["black"], "marker": "o"},
    "low_percent": {"color": HUES["sky"], "marker": "v"},
    "mid_percent": {"color": HUES["orange"], "marker": "s"},
    "high_percent": {"color": HUES["vermilion"], "marker": "^"},
}
"""Colour and mark of all jobs and of each group of priorities."""

SLA = "deadlines met, %"


def stage_figures(findings: MocaFindings, name: str) -> dict[str, bytes]:
    """The figures of a part by the names of their files, without a suffix."""
    if not findings.stages[name].runs:
        return {}
    names = findings.plan.policies
    look = styles(names.baselines, names.variants)
    if name == "main":
        return {"main": _by_set(findings, look), "priorities": _priorities(findings, look), "ratios": _ratios(findings, look)}
    made: dict[str, Callable[[], bytes]] = {
        "steps": lambda: _steps(steps_table(findings)),
        "queues": lambda: _queues(queues_table(findings)),
        "bandwidth": lambda: _swept(swept_table(findings, name), look, "DRAM, GB/s"),
        "tiles": lambda: _swept(swept_table(findings, name), look, "tiles"),
        "regroup": lambda: _swept(swept_table(findings, name), look, "another number of tiles costs, us", scale="symlog"),
        "settings": lambda: settings_figure(settings_table(findings), "deadlines met"),
        "together": lambda: _together(together_cells_table(findings)),
    }
    return {name: made[name]()}


def _grid(ax: Any) -> None:
    ax.grid(True, axis="y", linewidth=0.3, color="#cccccc")


def _plain(axis: Any) -> None:
    """Few plain numbers along an axis of ratios."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def _rows(table: Table, **wanted: object) -> list[dict[str, Any]]:
    named: list[dict[str, Any]] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return [row for row in named if all(row[column] == value for column, value in wanted.items())]


def _column(table: Table, name: str) -> list[Any]:
    return list(dict.fromkeys(table.column(name)))


def _by_set(findings: MocaFindings, look: Look) -> bytes:
    """SLA rate of every policy by arrivals, mean over qualities of service, a panel for each set."""
    stage, plans, policies = findings.stages["main"], findings.plans, findings.plan.policies.names
    found = places(findings)
    names, arrivals = (list(dict.fromkeys(values)) for values in ([one.name for one in found], [one.level.arrivals for one in found]))
    with figure_of(len(names), (2.8, 2.4), sharey=True) as (figure, axes, file):
        for ax, name in zip(axes, names, strict=True):
            for policy in policies:
                cells = [
                    [plans.cell(*one, policy) for one in found if (one.name, one.level.arrivals) == (name, which)] for which in arrivals
                ]
                y = [100 * np.mean([stage.mean(cell, "sla") for cell in own]) if own else np.nan for own in cells]
                n_loads = sum(which != TRACE for which in arrivals)
                ax.plot(range(n_loads), y[:n_loads], linewidth=1, markersize=3.5, **look[policy])
                ax.plot(range(n_loads, len(y)), y[n_loads:], linestyle="", markersize=3.5, **look[policy])
            ax.set(title=f"set {name}", ylim=(0, 102))
            ax.set_xticks(range(len(arrivals)), arrivals)
            _grid(ax)
        axes[0].set_ylabel(SLA)
        legend(figure, look, policies)
    return file.getvalue()


def _priorities(findings: MocaFindings, look: Look) -> bytes:
    """SLA rate by group of priorities, a panel for each kind of arrivals."""
    table = summary_table(findings)
    arrivals = [one for one in _column(table, "arrivals") if one != EVERY]
    groups = ("low", "mid", "high")
    with figure_of(len(arrivals), (2.6, 2.3), sharey=True) as (figure, axes, file):
        for ax, which in zip(axes, arrivals, strict=True):
            for row in _rows(table, arrivals=which):
                ax.plot(range(3), [row[f"{group}_percent"] for group in groups], linewidth=1, markersize=3.5, **look[row["policy"]])
            ax.set(title=which, ylim=(0, 102))
            ax.set_xticks(range(3), groups)
            _grid(ax)
        axes[0].set_ylabel(SLA)
        figure.supxlabel("priority of the jobs", fontsize=8)
        legend(figure, look, _column(table, "policy"))
    return file.getvalue()


def _ratios(findings: MocaFindings, look: Look) -> bytes:
    """MoCA over every other policy with intervals, a panel for each metric; full marks: every load, hollow ones: trace."""
    found = [one for one in comparisons(findings) if one.arrivals in (EVERY, TRACE) and one.other in look and one.ratio.n_cells]
    others = list(dict.fromkeys(one.other for one in found))
    titles = dict(zip(RATIOS, ("deadlines met", "system throughput", "fairness"), strict=True))
    with figure_of(len(RATIOS), (2.6, 2.3), sharey=True) as (figure, axes, file):
        for ax, metric in zip(axes, RATIOS, strict=True):
            for one in found:
                if one.metric == metric:
                    y = others.index(one.other) + (0.15 if one.arrivals == TRACE else -0.15)
                    fill = {"markerfacecolor": "white"} if one.arrivals == TRACE else {}
                    ends = np.maximum([[one.ratio.mean - one.ratio.low], [one.ratio.high - one.ratio.mean]], 0)
                    ax.errorbar(one.ratio.mean, y, xerr=np.nan_to_num(ends), markersize=4, linewidth=0.8, **look[one.other], **fill)
            ax.axvline(1, color="black", linewidth=0.6)
            ax.set(xscale="log", title=titles[metric])
            _plain(ax.xaxis)
            ax.set_yticks(range(len(others)), others)
        figure.supxlabel(f"{findings.plan.policies.whole} / other policy; full: every load, hollow: trace", fontsize=8)
    return file.getvalue()


def _steps(table: Table) -> bytes:
    """SLA rate of all jobs and of each group of priorities from step to step, a panel for each arbiter and kind of arrivals."""
    panels = list(dict.fromkeys(zip(table.column("arbiter"), table.column("arrivals"), strict=True)))
    with figure_of(len(panels), (3.4, 2.7), columns=2, sharey=True) as (figure, axes, file):
        for ax, (arbiter, arrivals) in zip(axes, panels, strict=True):
            rows = _rows(table, arbiter=arbiter, arrivals=arrivals)
            for column, style in GROUPS.items():
                is_added = [not row["step"].startswith("no ") for row in rows]
                y = np.array([row[column] for row in rows])
                n_added = sum(is_added)
                ax.plot(range(n_added), y[:n_added], linewidth=1, markersize=3.5, **style)
                ax.plot(range(n_added, len(y)), y[n_added:], linestyle="", markersize=3.5, **style)
            ax.axvline(n_added - 0.5, color="black", linewidth=0.6, linestyle=":")
            ax.set(title=f"{arbiter} arbiter, {arrivals}", ylim=(0, 102))
            ax.set_xticks(range(len(rows)), [row["step"] for row in rows], rotation=40, ha="right")
            _grid(ax)
        axes[0].set_ylabel(SLA)
        legend(figure, _group_look(), list(_group_look()))
    return file.getvalue()


def _group_look() -> dict[str, dict[str, Any]]:
    words = ("all jobs", "low priority", "mid", "high")
    return dict(zip(words, GROUPS.values(), strict=True))


def _queues(table: Table) -> bytes:
    """SLA rate by queue; full marks: late jobs last, hollow ones: as the queue says."""
    arrivals, queues = _column(table, "arrivals"), _column(table, "queue")
    with figure_of(len(arrivals), (2.9, 2.4), sharey=True) as (figure, axes, file):
        for ax, which in zip(axes, arrivals, strict=True):
            for place, (column, style) in enumerate(GROUPS.items()):
                for late in ("queue", "last"):
                    rows = _rows(table, arrivals=which, late=late)
                    x = [queues.index(row["queue"]) + (place - 1.5) * 0.15 for row in rows]
                    fill = {"markerfacecolor": "white"} if late == "queue" else {}
                    ax.plot(x, [row[column] for row in rows], linestyle="", markersize=4, **style, **fill)
            ax.set(title=which, ylim=(0, 102))
            ax.set_xticks(range(len(queues)), queues)
            _grid(ax)
        axes[0].set_ylabel(SLA)
        figure.supxlabel("queue; full: late jobs last, hollow: late jobs as the queue says", fontsize=8)
        legend(figure, _group_look(), list(_group_look()))
    return file.getvalue()


def _swept(table: Table, look: Look, label: str, scale: str = "log") -> bytes:
    """SLA rate of all jobs, and of those with high priorities, by one number."""
    arrivals, column = _column(table, "arrivals"), table.columns[1]
    panels = [(which, metric) for metric in ("sla_percent", "high_percent") for which in arrivals]
    values = sorted(_column(table, column))
    with figure_of(len(panels), (2.9, 2.2), columns=len(arrivals), sharey=True, sharex=True) as (figure, axes, file):
        for ax, (which, metric) in zip(axes, panels, strict=True):
            for policy in _column(table, "policy"):
                rows = _rows(table, arrivals=which, policy=policy)
                ax.plot([row[column] for row in rows], [row[metric] for row in rows], linewidth=1, markersize=3.5, **look[policy])
            options = {"linthresh": min((one for one in values if one > 0), default=1)} if scale == "symlog" else {}
            ax.set_xscale(scale, **options)
            ax.set_xticks(values, [f"{one:g}" for one in values])
            ax.minorticks_off()
            ax.set(title=which + ("" if metric == "sla_percent" else ", high priorities"), ylim=(0, 102))
            _grid(ax)
        figure.supxlabel(label, fontsize=8)
        figure.supylabel(SLA, fontsize=8)
        legend(figure, look, _column(table, "policy"))
    return file.getvalue()


def _together(table: Table) -> bytes:
    """UXCost with and without MoCA's regulation by bandwidth, a panel for each scenario, a line for each platform."""
    scenarios, platforms = _column(table, "scenario"), _column(table, "platform")
    values = sorted(_column(table, "dram_gb_per_s"))
    look = styles(platforms, ())
    with figure_of(len(scenarios), (2.6, 2.2), sharey=True) as (figure, axes, file):
        for ax, scenario in zip(axes, scenarios, strict=True):
            for platform in platforms:
                _ratio_line(ax, _rows(table, scenario=scenario, platform=platform), values, look[platform])
            ax.axhline(1, color="black", linewidth=0.6)
            ax.set(title=scenario, yscale="log")
            _plain(ax.yaxis)
            ax.set_xticks(range(len(values)), [f"{one:g}" for one in values])
            _grid(ax)
        figure.supxlabel("DRAM, GB/s", fontsize=8)
        figure.supylabel("UXCost with / without regulation", fontsize=8)
        legend(figure, look, platforms)
    return file.getvalue()


def _ratio_line(ax: Any, rows: Sequence[Mapping[str, Any]], values: Sequence[Any], style: Mapping[str, Any]) -> None:
    y = np.array([[row[one] for one in ("uxcost_ratio", "low", "high")] for row in rows]).reshape(-1, 3)
    ends = np.nan_to_num(np.maximum([y[:, 0] - y[:, 1], y[:, 2] - y[:, 0]], 0))
    ax.errorbar([values.index(row["dram_gb_per_s"]) for row in rows], y[:, 0], yerr=ends, linewidth=1, markersize=3.5, **style)
