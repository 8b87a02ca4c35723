"""The table of a comparison, for terminals and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from rtsched.metrics import SCALARS
from rtsched.report.text import NOTHING, digits, facts, name, scale, seconds, table

if TYPE_CHECKING:
    from rtsched.study.compare import Comparison
    from rtsched.study.intervals import Estimates

__all__ = ["comparison"]

FEW_SEEDS = 10
"""Below as many, intervals are told to be too narrow."""


def comparison(found: Comparison) -> RenderableType:
    """Lay a comparison out: for each metric a line per policy, the best first by the first metric.

    Parameters
    ----------
    found : Comparison

    Returns
    -------
    rich renderable
        At most 100 columns wide, unless names are long.
    """
    has_gaps = bool((found.means.n != len(found.seeds)).any())
    made = table(
        [
            "metric, policy",
            "rank",
            "mean",
            "95 % interval",
            f"minus {found.baseline}"[:20],
            "95 % interval",
            "",
            *(["seeds"] if has_gaps else []),
        ],
        words=("metric, policy", ""),
    )
    for m, metric in enumerate(found.metrics):
        unit, divisor = _unit(metric, found.means.mean[m])
        made.add_row(name(f"{metric} ({unit})" if unit else metric, "bold"))
        for i in found.order:
            made.add_row(Text("  ").append(name(found.policies[i])), *_row(found, m, i, divisor, has_gaps=has_gaps))
    return Group(_title(found), *_warnings(found), "", made, "", facts(_legend(found)))


def _row(found: Comparison, m: int, i: int, divisor: float, *, has_gaps: bool) -> list[Text | str]:
    base = found.policies.index(found.baseline)
    difference = found.differences[m, i, base]
    compared: list[Text | str] = ["", "", ""]
    if i != base:
        verdict = _verdict(bool(found.is_better[m, i, base]), bool(found.is_better[m, base, i]), int(difference.n))
        compared = [_signed(float(difference.mean) / divisor), _interval(difference, divisor, is_signed=True), verdict]
    return [
        str(found.ranks[m, i] or NOTHING),
        digits(float(found.means.mean[m, i]) / divisor),
        _interval(found.means[m, i], divisor),
        *compared,
        *([str(found.means.n[m, i])] if has_gaps else []),
    ]


def _unit(metric: str, means: np.ndarray) -> tuple[str, float]:
    """Choose a unit for the means of a metric: its name, and what to divide by."""
    unit = SCALARS[metric].unit
    if unit not in ("J", "ns"):
        return unit, 1.0
    largest = float(np.max(np.abs(means), initial=0.0, where=np.isfinite(means)))
    to_si, symbol = (1.0, "J") if unit == "J" else (1e-9, "s")
    divisor, prefix = scale(largest * to_si)
    return prefix + symbol, divisor / to_si


def _interval(one: Estimates, divisor: float, *, is_signed: bool = False) -> str:
    write = _signed if is_signed else digits
    low, high = float(one.low), float(one.high)
    return NOTHING if np.isnan(low) else f"{write(low / divisor)} to {write(high / divisor)}"


def _signed(value: float) -> str:
    return f"+{digits(value)}" if value > 0 else digits(value)


def _verdict(is_better: bool, is_worse: bool, n_seeds: int) -> Text:
    if is_better:
        return Text("better", "green")
    if is_worse:
        return Text("worse", "red")
    return Text("tie" if n_seeds > 1 else "")


def _title(found: Comparison) -> Text:
    problem = found.problem
    n = len(found.seeds)
    return Text.assemble(
        name(problem.scenario_name, "bold"),
        " on ",
        name(problem.platform_name, "bold"),
        f", load {problem.scenario.load:g}" if problem.scenario.load != 1 else "",
        f", {n:,} seed{'s' if n > 1 else ''} ({_ranges(found.seeds)}), {seconds(problem.duration_ns)} each",
    )


def _ranges(seeds: Sequence[int]) -> str:
    """Write seeds as ranges, the first few of them."""
    ends: list[list[int]] = []
    for seed in seeds:
        if ends and seed == ends[-1][1] + 1:
            ends[-1][1] = seed
        else:
            ends.append([seed, seed])
    shown = [str(first) if first == last else f"{first} to {last}" for first, last in ends[:5]]
    return ", ".join([*shown, *(["..."] if len(ends) > 5 else [])])


def _warnings(found: Comparison) -> list[Text]:
    told = []
    if not found.is_complete:
        told.append("PARTIAL: interrupted; only the seeds that every policy has finished are compared")
    if len(found.seeds) == 1:
        told.append("One seed: there is no interval, and nothing is better or worse beyond doubt")
    elif len(found.seeds) < FEW_SEEDS:
        told.append(f"Only {len(found.seeds)} seeds: intervals of fewer than {FEW_SEEDS} are too narrow")
    return [Text(one, "bold yellow") for one in told]


def _legend(found: Comparison) -> list[tuple[str, str]]:
    metrics = [(metric, f"{SCALARS[metric].meaning}; {SCALARS[metric].better} is better") for metric in found.metrics]
    return [*metrics, ("rank", "1 + number of policies that are better with an interval that leaves out 0")]
