"""What the reproduction of DREAM says: its tables, its figures, and in words.

What is said is computed from the runs; only what the paper's abstract reports is written down here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from rtsched._version import __version__
from rtsched.report import dream_figures
from rtsched.report.reproduction import Account, few_seeds, files_of, how_made, signed, status, what_matters
from rtsched.report.tables import table_to_markdown
from rtsched.study.reproduce.dream.study import STAGES, DreamFindings
from rtsched.study.reproduce.dream.tables import (
    Reduction,
    ablation_table,
    landscape_table,
    loads_table,
    reductions,
    settings_table,
    stage_tables,
    summary_table,
)
from rtsched.study.reproduce.tables import Table, pivot

__all__ = ["ABSTRACT_PERCENT", "DREAM", "readme"]

ABSTRACT_PERCENT = ((32.2, 80.8), (50.0, 97.6))
"""What the abstract reports against two baselines: how much less UXCost in the geometric mean, and at most."""

ABSTRACT_COLUMNS = (
    "load", "pairs", "against", "cells", "less UXCost, %", "95 % interval", "at most, %", "where", "violated, %", "baseline, %",
    "less energy, %",
)  # fmt: skip


def readme(findings: DreamFindings, command: str, drawn: Mapping[str, str]) -> str:
    """Tell what was found.

    Parameters
    ----------
    findings : DreamFindings
    command : str
    drawn : mapping of str to str
        Names of figures to their files.
    """
    parts = [*_head(findings, command), *_abstract(findings)]
    sections = {
        "main": _main,
        "loads": _loads,
        "landscape": _landscape,
        "ablation": _ablation,
        "cascade": _cascade,
        "errors": _errors,
        "settings": _settings,
    }
    shown_with = {"main": ("main", "reductions"), **{name: (name,) for name in sections if name != "main"}}
    for name, section in sections.items():
        if name in findings.stages and findings.stages[name].runs:
            parts += [*section(findings), *files_of(shown_with[name], _names_of(name), drawn)]
    return "\n".join([*parts, *how_made(findings.stages, command)])


def _names_of(stage: str) -> list[str]:
    more = {"main": ["main_summary", "reductions"], "loads": ["loads_summary", "reductions", "scan"]}
    return [stage, *more.get(stage, [f"{stage}_summary"])]


def _head(findings: DreamFindings, command: str) -> Iterator[str]:
    plan = findings.plan
    yield f"# DREAM's evaluation, done again ({plan.name})\n"
    if plan.name == "quick":
        yield (
            "**A quick run: few seeds, short runs and some of the scenarios and platforms. It shows that everything works; its numbers "
            "mean little.**\n"
        )
    yield from status(findings.stages, tuple(STAGES))
    yield (
        f"`{command}`, rtsched {__version__}. {len(plan.scenarios)} scenarios ({', '.join(plan.scenarios)}), "
        f"{len(plan.platforms)} platforms ({', '.join(plan.platforms)}), {plan.n_seeds} seeds, {plan.duration_s:g} s for each "
        "run. All policies see the same frames under the same seed; intervals are 95 % bootstrap intervals over seeds.\n"
    )
    yield from few_seeds(plan.n_seeds, plan.n_sweep_seeds)


def _abstract(findings: DreamFindings) -> Iterator[str]:
    """Our reductions beside those of the abstract."""
    names = findings.plan.policies
    found = [one for one in reductions(findings) if one.policy == names.tuned and one.baseline in names.rivals and one.uxcost.n_cells]
    yield "## Beside the abstract\n"
    reported = " and ".join(f"{mean:g} % (at most {most:g} %)" for mean, most in ABSTRACT_PERCENT)
    yield (
        f"The abstract reports that DREAM's UXCost is lower by {reported} than that of two state-of-the-art baselines, in the "
        f"geometric mean over five scenarios. Here, `{names.tuned}` against {' and '.join(f'`{one}`' for one in names.rivals)}, in the "
        "geometric mean over scenarios, platforms and seeds:\n"
    )
    yield f"| {' | '.join(ABSTRACT_COLUMNS)} |"
    yield "|---|---|---|---:|---:|---|---:|---|---:|---:|---:|"
    yield from map(_abstract_row, found)
    yield (
        "\nNegative: more. `contested` are the pairs of scenario and platform in which some policy misses a deadline. Where all "
        "deadlines are met, UXCost is the product of its floors 1 / (2 x jobs), which depends on the length of the run, and of the "
        "energy. The largest reduction is that of one scenario and platform over all seeds.\n"
    )


def _abstract_row(one: Reduction) -> str:
    ratio = one.uxcost
    where = "" if ratio.least_at is None else f"{ratio.least_at.scenario} on {ratio.least_at.platform}"
    cells = (
        one.case, one.where, one.baseline, str(ratio.n_cells), _percent(ratio.mean), f"{_percent(ratio.high)}..{_percent(ratio.low)}",
        _percent(ratio.least), where, *map(signed, one.violations_percent), _percent(one.energy.mean),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _percent(ratio: float) -> str:
    """How much less, in per cent."""
    return signed(100 * (1 - ratio))


def _main(findings: DreamFindings) -> Iterator[str]:
    stage, names = findings.stages["main"], findings.plan.policies
    pairs = {cell.pair for cell in stage.runs}
    contested = stage.contested(stage.runs)
    yield "## Every policy at load 1\n"
    yield f"Some policy misses a deadline in {len(contested)} of {len(pairs)} pairs of a scenario and a platform.\n"
    summary = summary_table(stage, findings)
    yield table_to_markdown(summary, summary.columns[1:])
    yield from _accuracy(summary, names.tuned, names.scan)


def _accuracy(summary: Table, tuned: str, other: str) -> Iterator[str]:
    """What switching of Supernets costs."""
    by_policy = dict(zip(summary.column("policy"), map(float, summary.column("accuracy_percent")), strict=True))
    own, theirs = by_policy.get(tuned, np.nan), by_policy.get(other, np.nan)
    if np.isfinite(own - theirs):
        yield (
            f"Supernets: the subnets that ran under `{tuned}` have a mean accuracy of {own:.2f} %, those under `{other}` {theirs:.2f} %: "
            f"what lighter subnets save costs {signed(theirs - own)} points of accuracy.\n"
        )


def _loads(findings: DreamFindings) -> Iterator[str]:
    stage = findings.stages["loads"]
    table = loads_table(findings)
    yield "## Where deadlines begin to be missed\n"
    yield f"{table.about}\n"
    yield table_to_markdown(table, table.columns)
    summary = summary_table(stage, findings)
    yield table_to_markdown(summary, summary.columns)


def _landscape(findings: DreamFindings) -> Iterator[str]:
    table = landscape_table(findings)
    yield f"## {table.title}\n"
    yield f"{table.about}\n"
    yield table_to_markdown(table, table.columns)


def _ablation(findings: DreamFindings) -> Iterator[str]:
    table = ablation_table(findings)
    yield f"## {table.title}\n"
    yield f"{table.about}\n"
    yield table_to_markdown(table, table.columns)


def _cascade(findings: DreamFindings) -> Iterator[str]:
    yield from _pivoted(findings, "cascade", "Cascades", "probability that the cascade goes on")


def _errors(findings: DreamFindings) -> Iterator[str]:
    yield from _pivoted(findings, "errors", "Wrong estimates", "standard deviation of actual / estimated time of a layer, %")


def _pivoted(findings: DreamFindings, name: str, title: str, cases: str) -> Iterator[str]:
    yield f"## {title}\n"
    summary = summary_table(findings.stages[name], findings)
    for metric, words in (("uxcost", "UXCost (geometric mean)"), ("violated_percent", "Deadlines violated, %")):
        table = pivot(summary, metric)
        yield f"{words} by {cases}:\n"
        yield table_to_markdown(table, table.columns)


def _settings(findings: DreamFindings) -> Iterator[str]:
    table = settings_table(findings)
    yield "## What is reconstructed and how much it matters\n"
    yield from what_matters(table, "UXCost")
    yield f"{table.about}\n"
    yield table_to_markdown(table, table.columns)


def _figures(findings: DreamFindings, name: str) -> dict[str, bytes]:
    return dream_figures.stage_figures(findings, name)


DREAM = Account(tables=stage_tables, figures=_figures, readme=readme)
