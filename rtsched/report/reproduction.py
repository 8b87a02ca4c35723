"""The folder of a reproduction: tables, figures, and what they say in words.

Every file is written under another name and renamed when it is whole. What is said is computed from the runs; only what the
paper's abstract reports is written down here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rtsched._version import __version__
from rtsched.report import files
from rtsched.report.tables import table_to_csv, table_to_markdown
from rtsched.report.text import digits
from rtsched.study.reproduce.cells import Stage
from rtsched.study.reproduce.dream import STAGES, DreamFindings
from rtsched.study.reproduce.tables import (
    Reduction,
    Table,
    ablation_table,
    landscape_table,
    loads_table,
    pivot,
    reductions,
    settings_table,
    stage_tables,
    summary_table,
)

__all__ = ["ABSTRACT_PERCENT", "STORE", "Writer", "readme"]

STORE = "runs.sqlite"

ABSTRACT_PERCENT = ((32.2, 80.8), (50.0, 97.6))
"""What the abstract reports against two baselines: how much less UXCost in the geometric mean, and at most."""

ABSTRACT_COLUMNS = (
    "load", "pairs", "against", "cells", "less UXCost, %", "95 % interval", "at most, %", "where", "violated, %", "baseline, %",
    "less energy, %",
)  # fmt: skip

NO_FIGURES = "no figures were drawn: they need matplotlib (pip install 'rtsched[plot]')"

FEW_SEEDS = 10

SMALL = 0.02
"""Changes of UXCost that are called small."""


class Writer:
    """Writes what is found, part by part.

    Parameters
    ----------
    folder : Path
        It is there.
    command : str
        What makes the same runs again, without the folder.

    Attributes
    ----------
    notes : list of str
        What the user should be told.
    """

    def __init__(self, folder: Path, command: str) -> None:
        self._folder = folder
        self._command = command
        self.notes: list[str] = []

    def tell(self, findings: DreamFindings, name: str) -> None:
        """Write the files of a stage, and anew what tells about all of them.

        Raises
        ------
        rtsched.errors.InputError
            A file cannot be written.
        """
        from rtsched.report.study_figures import SUFFIX, can_draw, stage_figures

        for table in stage_tables(findings, name):
            files.write(str(self._folder / f"{table.name}.csv"), [table_to_csv(table)])
            files.write(str(self._folder / f"{table.name}.md"), [table_to_markdown(table)])
        if can_draw():
            for figure, content in stage_figures(findings, name).items():
                files.write(str(self._folder / f"{figure}{SUFFIX}"), [content])
        elif NO_FIGURES not in self.notes:
            self.notes.append(NO_FIGURES)
        drawn = {path.stem: path.name for path in sorted(self._folder.glob(f"*{SUFFIX}"))}
        files.write(str(self._folder / "README.md"), [readme(findings, self._command, drawn)])


def readme(findings: DreamFindings, command: str, drawn: dict[str, str] | None = None) -> str:
    """Tell what was found.

    Parameters
    ----------
    findings : DreamFindings
    command : str
    drawn : dict of str to str
        Names of figures to their files.
    """
    figures = drawn or {}
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
            parts += section(findings)
            parts += [f"![{figure}]({figures[figure]})\n" for figure in shown_with[name] if figure in figures]
            tables = ", ".join(f"[{table}.csv]({table}.csv)" for table in _names_of(name))
            parts += [f"Tables: {tables}; the same as `.md`.\n"]
    return "\n".join([*parts, *_how(findings, command)])


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
    if not findings.is_complete:
        done = [name for name, stage in findings.stages.items() if stage.is_complete]
        partial = [f"{name} ({one.n_stored:,} of {one.n_planned:,} runs)" for name, one in findings.stages.items() if not one.is_complete]
        missing = [name for name in STAGES if name not in findings.stages]
        status = [("done", done), ("begun", partial), ("missing", missing)]
        yield "**Not complete.** " + "; ".join(f"{word}: {', '.join(names)}" for word, names in status if names) + ".\n"
    yield (
        f"`{command}`, rtsched {__version__}. {len(plan.scenarios)} scenarios ({', '.join(plan.scenarios)}), "
        f"{len(plan.platforms)} platforms ({', '.join(plan.platforms)}), {plan.n_seeds} seeds, {plan.duration_s:g} s for each "
        "run. All policies see the same frames under the same seed; intervals are 95 % bootstrap intervals over seeds.\n"
    )
    if min(plan.n_seeds, plan.n_sweep_seeds) < FEW_SEEDS:
        yield f"Intervals of fewer than {FEW_SEEDS} seeds are too narrow, those of two or three only span the values.\n"


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


def signed(value: float) -> str:
    """Three digits, with a sign where it is negative."""
    return f"-{digits(-value)}" if value < 0 else digits(value)


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
    rows = [row for row in table.rows if np.isfinite(float(row[table.columns.index("uxcost_ratio")]))]
    if rows:
        yield " ".join(_what_matters(table, rows)) + "\n"
    yield f"{table.about}\n"
    yield table_to_markdown(table, table.columns)


def _what_matters(table: Table, rows: Sequence[tuple[str | int | float, ...]]) -> Iterator[str]:
    ratio, low, high = (table.columns.index(name) for name in ("uxcost_ratio", "low", "high"))
    changes: dict[str, list[float]] = {}
    for row in rows:
        changes.setdefault(str(row[0]), []).append(abs(float(row[ratio]) - 1))
    marked = {str(row[0]) for row in rows if row[2] == "yes"}
    small = [path for path, values in changes.items() if max(values) < SMALL]
    sure = {str(row[0]) for row in rows if not float(row[low]) <= 1 <= float(row[high])}
    first = max(rows, key=lambda row: abs(np.log(float(row[ratio]))))
    yield f"{len(changes)} settings were changed, {len(marked)} of which say in their meaning that they are a reconstruction."
    yield (
        f"Most depends on `{first[0]}`: with {first[4]} instead of {first[3]}, UXCost is {digits(float(first[ratio]))} times as large "
        f"({digits(float(first[low]))}..{digits(float(first[high]))})."
    )
    yield (
        f"The intervals of {len(sure)} settings leave out 1; {len(small)} settings change UXCost by less than {100 * SMALL:g} % with "
        "each of their values."
    )


def _how(findings: DreamFindings, command: str) -> Iterator[str]:
    """Commands, and what they took."""
    yield "## How this was made\n"
    yield f"```\n{command} -o FOLDER\n```\n"
    yield (
        f"Every run is in `{STORE}`, under a SHA-256 of its whole input: the command goes on where it was stopped and runs nothing "
        "twice. Wall times are those of the runs one after the other; so many workers, so much less.\n"
    )
    yield "| part | runs | simulated, h | wall time of runs, min |"
    yield "|---|---:|---:|---:|"
    yield from (_time_row(name, stage) for name, stage in findings.stages.items())
    yield ""


def _time_row(name: str, stage: Stage) -> str:
    return f"| {name} | {stage.n_stored:,} | {digits(stage.simulated_s / 3600)} | {digits(stage.wall_s / 60)} |"
