"""What a search for the smallest platform found, as tables, JSON and CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from rtsched.report.comparison import seed_ranges
from rtsched.report.export import as_json, csv_chunks, told_run
from rtsched.report.text import NOTHING, Fitting, changed, digits, facts, name, percent, scale, seconds, table

if TYPE_CHECKING:
    from rtsched.study.explore.exploration import Evaluated, Exploration

__all__ = ["EXPLORATION_FORMAT", "MAX_ROWS", "summary", "to_csv", "to_dict", "to_json"]

EXPLORATION_FORMAT = "rtsched.exploration/1"

MAX_ROWS = 30
"""Platforms of the front in a printed table."""


def summary(found: Exploration) -> RenderableType:
    """Lay out what was found: the smallest platform, then the front, a line each.

    Parameters
    ----------
    found : Exploration

    Returns
    -------
    rich renderable
        Narrower where there is less room.
    """
    parts: list[RenderableType] = [_title(found), _grid(found)]
    if not found.is_complete:
        parts.append(Text("PARTIAL: interrupted; a smaller platform may meet the target, and the front may lack some", "bold yellow"))
    parts += ["", _answer(found)]
    if found.smallest is not None:
        parts.append(Fitting(_table(found, [found.smallest]), _table(found, [found.smallest], is_tight=True)))
    if found.front:
        shown = _shown(found)
        more = f"; {len(shown)} of {len(found.front)}" if len(shown) < len(found.front) else ""
        parts += ["", Text(f"the front: none beats another in PEs, violations and energy together{more}", "bold")]
        parts.append(Fitting(_table(found, shown), _table(found, shown, is_tight=True)))
    return Group(*parts, "", facts(_legend(found)))


def _title(found: Exploration) -> Text:
    problem, n = found.problem, len(found.seeds)
    load = f", load {problem.scenario.load:g}" if problem.scenario.load != 1 else ""
    told = f"{load}, {n:,} seed{'s' if n > 1 else ''} ({seed_ranges(found.seeds)}), {seconds(problem.duration_ns)} each"
    parts = (name(problem.scenario_name, "bold"), ", platforms made of ", name(problem.platform_name, "bold"), ", policy ")
    return Text.assemble(*parts, name(found.policy, "bold"), told, changed(found.provenance, ("scenario.load", "scenario.duration_s")))


def _grid(found: Exploration) -> Text:
    space = found.space
    arrays = f"{_listed(space.accelerators)} array{'s' if space.accelerators != (1,) else ''}"
    kinds = f"{_listed(space.dataflows)} of {_listed(space.pes)} PEs"
    rates = f"{_listed(space.bandwidth_gb_per_s)} GB/s, {_listed(space.clock_mhz)} MHz"
    return Text(f"{space.n_candidates:,} candidates: {arrays}, {kinds}; {rates}; {found.n_runs:,} runs")


def _listed(values: Sequence[Any]) -> str:
    words = [value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:g}" for value in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _answer(found: Exploration) -> Text:
    target = f"{100 * found.meet:g} % of the deadlines"
    if found.smallest is not None:
        return Text(f"the smallest platform that meets {target}", "bold")
    if not found.is_complete:
        return Text(f"no platform is known yet that meets {target}", "bold")
    return Text(f"no candidate meets {target}; try more PEs, arrays, bandwidth or a higher clock", "bold yellow")


def _table(found: Exploration, rows: Sequence[Evaluated], *, is_tight: bool = False) -> RenderableType:
    """A line for each platform, energies in one unit."""
    known = [one.energy_per_met_j for one in (*found.front, *rows) if math.isfinite(one.energy_per_met_j)]
    divisor, prefix = scale(float(np.median(known)) if known else math.nan)
    columns = ("PEs", "arrays", "GB/s", "MHz", "violated %", f"{prefix}J per met job")
    made = table(columns, ("arrays",), is_tight=is_tight)
    for one in rows:
        made_of = one.candidate
        size = (f"{made_of.n_pes:,}", name(made_of.mix), f"{made_of.bandwidth_gb_per_s:g}", f"{made_of.clock_mhz:g}")
        energy = digits(one.energy_per_met_j / divisor) if math.isfinite(one.energy_per_met_j) else NOTHING
        style = "bold green" if one == found.smallest else ""
        made.add_row(*size, percent(one.violation_rate), energy, style=style)
    return made


def _shown(found: Exploration) -> list[Evaluated]:
    """The platforms of the front with the fewest violations, as many as a table has, the smallest first."""
    order = sorted(range(len(found.front)), key=lambda place: found.front[place].violation_rate)
    return [found.front[place] for place in sorted(order[:MAX_ROWS])]


def _legend(found: Exploration) -> list[tuple[str, str]]:
    rows = [("smallest", "fewest PEs; then least bandwidth, lowest clock, least energy per met job")] if found.smallest is not None else []
    return [*rows, ("arrays", "dataflow and PEs of each"), ("violated", "of the jobs that count, over all seeds together")]


def to_dict(found: Exploration) -> dict[str, Any]:
    """Return what was found as numbers, strings, lists and dictionaries, ready for JSON.

    Parameters
    ----------
    found : Exploration
    """
    return {
        "format": EXPLORATION_FORMAT,
        "provenance": found.provenance,
        "run": told_run(found.problem, found.is_complete, found.seeds),
        "meet": found.meet,
        "grid": found.space.to_dict(),
        "candidates": found.space.n_candidates,
        "runs": found.n_runs,
        "smallest": None if found.smallest is None else _platform(found.smallest),
        "front": [_platform(one) for one in found.front],
    }


def _platform(one: Evaluated) -> dict[str, Any]:
    energy_j = one.energy_per_met_j
    return {
        "platform": one.candidate.name,
        "arrays": [{"dataflow": dataflow, "pes": pes} for dataflow, pes in one.candidate.arrays],
        "pes": one.candidate.n_pes,
        "bandwidth_gb_per_s": one.candidate.bandwidth_gb_per_s,
        "clock_mhz": one.candidate.clock_mhz,
        "jobs": one.n_counting,
        "violated": one.n_violated,
        "violation_rate": one.violation_rate,
        "energy_j": one.energy_j,
        "energy_per_met_j": energy_j if math.isfinite(energy_j) else None,
    }


def to_json(found: Exploration) -> str:
    """Return `to_dict` as JSON, indented, with a line break at the end.

    Parameters
    ----------
    found : Exploration

    Returns
    -------
    str
        ASCII.
    """
    return as_json(to_dict(found))


def to_csv(found: Exploration) -> Iterator[str]:
    """Yield a line for each candidate that ran, some thousand at a time; without a met job the energy is an empty cell.

    Parameters
    ----------
    found : Exploration

    Yields
    ------
    str
        Whole lines; the first one names the columns, which are those of `rtsched.study.explore.exploration.Exploration.columns`.
    """
    columns = found.columns()
    energy_j = columns["energy_per_met_j"].tolist()
    columns["energy_per_met_j"] = np.array([None if math.isnan(one) else one for one in energy_j], dtype=object)
    yield from csv_chunks(columns)
