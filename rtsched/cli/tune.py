"""``rtsched tune``."""

from __future__ import annotations

from collections.abc import Sequence
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
    run_command,
)
from rtsched.cli._lists import seeds_of
from rtsched.cli._program import INTERRUPTED, complain, failures_of
from rtsched.errors import FaultList, short

if TYPE_CHECKING:
    from rtsched.study.tune.tuning import Tuning

__all__ = ["EPILOG", "tune"]

EPILOG = """\b
Examples:
  rtsched tune vr_gaming -P dream-fixed
  rtsched tune vr_gaming -P dream-fixed --over mapper.alpha=0:2 --trials 50
  rtsched tune vr_gaming -P dream-fixed --over dropper.window=2:9 --metric sla
  rtsched tune glasses.yaml -P mine.py:Greedy --over mapper.patience=1:8

Without --over, the settings that can be tuned are listed. Every trial runs under the same seeds. The best of many trials looks better
than it is; so it is compared with the policy's own settings under seeds that the search has not seen. docs/exploring.md explains it.

Ctrl-C prints the best so far, and the exit code is 130."""


def tune(
    scenario: ScenarioArgument,
    policy: Annotated[
        str, typer.Option("-P", "--policy", metavar="POLICY", help="One of: rtsched list policies; or FILE.py:NAME, which runs the file.")
    ],
    over: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH=LOW:HIGH", help="Tune a setting between two values, as mapper.alpha=0:2; may be repeated."),
    ] = None,
    platform: PlatformOption = None,
    metric: Annotated[str, typer.Option(metavar="NAME", help="One of: rtsched list metrics. Its mean is made better.")] = "uxcost",
    seeds: Annotated[str, typer.Option(metavar="N", help="Seeds of every trial: as many, from 0; or which ones, as 5-24.")] = "10",
    held_out: Annotated[
        str, typer.Option(metavar="N", help="Seeds that judge the best: as many, behind those of the trials; or which ones.")
    ] = "20",
    trials: Annotated[int, typer.Option(metavar="N", help="Settings that are tried at most.")] = 200,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the search. The same one gives the same result.")] = 0,
    duration: DurationOption = None,
    load: LoadOption = None,
    settings: SettingsOption = None,
    threads: Annotated[int | None, typer.Option(metavar="N", help="Runs side by side.  [default: the number of CPUs]")] = None,
    json: Annotated[str | None, typer.Option(metavar="FILE", help="Write trials and comparison as JSON; - for standard output.")] = None,
) -> None:
    """Find settings of a policy that make a metric better.

    The search is differential evolution. Tables are printed to standard output; to standard error if the file goes there.
    """
    from rtsched.report.console import StageWording, console, progress
    from rtsched.study.many import check_threads
    from rtsched.study.tune.tuning import TuningInterrupted, tune_plan, tune_problem

    faults = FaultList()
    workload = Workload(faults, scenario, platform, {"duration_s": duration, "load": load}, settings)
    workload.name_policies([policy])
    ranges = faults.of(_ranges, over or ())
    asked = {"seeds": faults.of(seeds_of, seeds), "held_out": faults.of(seeds_of, held_out, "--held-out")}
    known = {name: value for name, value in asked.items() if value is not None}
    chosen = None
    if ranges is not None:
        chosen = faults.of(tune_plan, policy, ranges, metric=metric, **known, trials=trials, seed=seed, roles=workload.roles)
    faults.of(check_threads, threads)
    check_outputs(faults, {"--json": json}, workload.files)
    faults.report()
    assert chosen is not None
    workload.warn()
    wording = StageWording()
    with progress(console(is_error=True), wording) as report, failures_of(chosen.policy.name):

        def tell(title: str, n_done: int, n_runs: int) -> None:
            wording.begin(title)
            if report is not None:
                report(n_done, n_runs)

        try:
            found = tune_problem(workload.compiled, replace(chosen, settings=workload.settings), threads=threads, progress=tell)
        except TuningInterrupted as interruption:
            if interruption.tuning is None:
                complain(["interrupted before the policy's own settings had run under every seed"])
                raise typer.Exit(INTERRUPTED) from None
            found = interruption.tuning
            complain([f"interrupted; {len(found.trials):,} settings were tried"])
    _tell(found, json)
    if found.best != found.own:
        kept = [one for one in settings or () if one.partition("=")[0].strip() not in found.best]
        best = [f"{path}={value!r}" for path, value in found.best.items()]
        typer.echo(f"to run it: {run_command(scenario, platform, policy, duration, load, [*kept, *best])}", err=True)
    if not found.is_complete:
        raise typer.Exit(INTERRUPTED)


def _tell(found: Tuning, json: str | None) -> None:
    from rtsched.report import files, tuning
    from rtsched.report.console import console

    if json is not None:
        files.write(json, [tuning.to_json(found)])
    console(is_error=json == files.STDOUT).print(tuning.summary(found))


def _ranges(texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Read what is to be tuned."""
    faults = FaultList()
    found: dict[str, tuple[float, float]] = {}
    for text in texts:
        path, _, ends = text.partition("=")
        low, _, high = ends.partition(":")
        try:
            numbers = (_number(low), _number(high))
        except ValueError:
            faults.add(f"--over {short(text)}: must be PATH=LOW:HIGH, as mapper.alpha=0:2")
            continue
        if path.strip() in found:
            faults.add(f"--over {short(text)}: is given twice")
        found[path.strip()] = numbers
    faults.report()
    return found


def _number(text: str) -> float:
    return int(text) if text.strip().lstrip("+-").isdecimal() else float(text)
