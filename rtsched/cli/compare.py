"""``rtsched compare``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from rtsched.cli._inputs import (
    DurationOption,
    LoadOption,
    PlatformOption,
    ScenarioArgument,
    SettingsOption,
    Workload,
    check_outputs,
)
from rtsched.cli._lists import names_of, seeds_of
from rtsched.cli._program import INTERRUPTED, complain
from rtsched.errors import FaultList, PolicyError

if TYPE_CHECKING:
    from rtsched.study.compare import Comparison

__all__ = ["EPILOG", "compare"]

EPILOG = """\b
Examples:
  rtsched compare vr_gaming -P fcfs,edf,llf,srpt
  rtsched compare vr_gaming -P edf,llf --seeds 100-199 --baseline edf
  rtsched compare vr_gaming -P edf,eft --load 2 --seeds 4 --bound
  rtsched compare glasses.yaml -P fcfs,edf --metric violation_rate --json -
  rtsched compare vr_gaming -P eft,mine.py:Greedy --set mapper.patience=3
  rtsched compare vr_gaming -P mine.py:p2,mine.py:p8 --csv values.csv

The setting of a role (mapper.patience) holds for the policies that have it. To compare two values of it, give each a name of its
own in a file: def p8(): return Greedy(patience=8).

Every policy sees the same frames under the same seed, so the difference of two policies is taken seed by seed. An interval holds
the mean over all seeds with a confidence of 95 %; where the interval of a difference holds 0, the two policies tie.
docs/comparing.md explains how to read the table, docs/formats.md what is in the file.

Ctrl-C ends the runs. The table and the file then hold the seeds that every policy has finished, marked as partial, and the exit
code is 130."""


def compare(
    scenario: ScenarioArgument,
    policies: Annotated[
        list[str],
        typer.Option("-P", "--policies", metavar="NAME,NAME", help="Some of: rtsched list policies; or FILE.py:NAME. May be repeated."),
    ],
    platform: PlatformOption = None,
    seeds: Annotated[str, typer.Option(metavar="N", help="As many seeds, from 0; or which ones, as 5-24 or 1,2,9.")] = "20",
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,NAME",
            help="Some of: rtsched list metrics. The first one ranks. May be repeated.  [default: uxcost, violation_rate, energy_j]",
        ),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="NAME", help="Compare the others with this policy.  [default: the best by the first metric]")
    ] = None,
    duration: DurationOption = None,
    load: LoadOption = None,
    settings: SettingsOption = None,
    threads: Annotated[int | None, typer.Option(metavar="N", help="Runs side by side.  [default: the number of CPUs]")] = None,
    is_bounded: Annotated[
        bool, typer.Option("--bound", help="Tell how far each policy is from the most jobs that any scheduler can meet.")
    ] = False,
    json: Annotated[str | None, typer.Option(metavar="FILE", help="Write every value and interval as JSON; - for standard output.")] = None,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write a line per value as CSV; - for standard output.")] = None,
) -> None:
    """Compare policies over many seeds.

    The table is printed to standard output; to standard error if a file goes to standard output.
    """
    from rtsched.bounds.bounding import bounds_of
    from rtsched.bounds.jobs import check_jobs_known
    from rtsched.report.console import console, finished_bounds, finished_runs, progress
    from rtsched.report.failures import role_failure
    from rtsched.study.compare import ComparisonInterrupted, compare_problem
    from rtsched.study.many import available_cpus, check_threads
    from rtsched.study.plan import plan

    faults = FaultList()
    workload = Workload(faults, scenario, platform, {"duration_s": duration, "load": load}, settings)
    names = names_of(policies)
    workload.name_policies(names)
    chosen_seeds = faults.of(seeds_of, seeds)
    ranked = None if metric is None else names_of(metric)
    chosen = faults.of(plan, names, 1 if chosen_seeds is None else chosen_seeds, metrics=ranked, baseline=baseline, roles=workload.roles)
    faults.of(check_threads, threads)
    if is_bounded and workload.problem is not None:
        faults.of(check_jobs_known, workload.problem)
    check_outputs(faults, {"--json": json, "--csv": csv}, workload.files)
    faults.report()
    assert chosen is not None
    workload.warn()
    chosen = replace(chosen, settings=workload.settings)
    bounds = None
    if is_bounded:
        with progress(console(is_error=True), finished_bounds, "bounding") as report:
            bounds = bounds_of(workload.compiled, chosen.seeds, threads=threads or available_cpus(), progress=report)
    try:
        with progress(console(is_error=True), finished_runs) as report:
            found = compare_problem(workload.compiled, chosen, threads=threads, progress=report, bounds=bounds)
    except ComparisonInterrupted as interruption:
        if interruption.comparison is None:
            complain(["interrupted before every policy had finished a seed"])
        else:
            complain([f"interrupted; {len(interruption.comparison.seeds)} of {len(chosen.seeds)} seeds are compared"])
            _tell(interruption.comparison, json, csv)
        raise typer.Exit(INTERRUPTED) from None
    except (Exception, SystemExit) as error:
        if not (told := role_failure(error)):
            raise
        raise PolicyError("\n".join(told)) from error
    _tell(found, json, csv)


def _tell(found: Comparison, json: str | None, csv: str | None) -> None:
    from rtsched.report import export, files
    from rtsched.report.console import console

    if json is not None:
        files.write(json, [export.comparison_to_json(found)])
    if csv is not None:
        files.write(csv, export.comparison_to_csv(found))
    console(is_error=files.STDOUT in (json, csv)).print(found.summary())
