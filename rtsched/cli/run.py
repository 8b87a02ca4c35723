"""``rtsched run``."""

from __future__ import annotations

from typing import Annotated

import typer

from rtsched.cli._inputs import (
    DurationOption,
    LoadOption,
    PlatformOption,
    PolicyOption,
    ScenarioArgument,
    SettingsOption,
    Workload,
    check_outputs,
)
from rtsched.cli._program import INTERRUPTED, failures_of
from rtsched.errors import FaultList

__all__ = ["EPILOG", "run"]

EPILOG = """\b
Examples:
  rtsched run vr_gaming
  rtsched run vr_gaming -p dream_8k_1ws2os -P edf --seed 3
  rtsched run vr_gaming --set scenario.tasks.gaze.fps=90
  rtsched run glasses.yaml --load 1.5 --json out.json --csv jobs.csv
  rtsched run vr_gaming -P mine.py:LeastLaxity
  rtsched run vr_gaming -P edf --save edf.npz --trace edf.pftrace
  rtsched run vr_gaming --json - | jq .metrics.uxcost

docs/formats.md explains what is in the files. A file is written whole or not at all.

Ctrl-C ends the run where it stands. The summary and the files then hold what was done until then, marked as partial (in JSON:
"complete": false), and the exit code is 130."""


def run(
    scenario: ScenarioArgument,
    platform: PlatformOption = None,
    policy: PolicyOption = "fcfs",
    seed: Annotated[int, typer.Option(metavar="N", help="0 to 2**64 - 1. The same seed gives every policy the same frames.")] = 0,
    duration: DurationOption = None,
    load: LoadOption = None,
    settings: SettingsOption = None,
    json: Annotated[str | None, typer.Option(metavar="FILE", help="Write every metric as JSON; - for standard output.")] = None,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write a line per job as CSV; - for standard output.")] = None,
    save: Annotated[
        str | None, typer.Option(metavar="FILE.npz", help="Write everything, with every layer: for rtsched check and report.")
    ] = None,
    trace: Annotated[
        str | None, typer.Option(metavar="FILE.pftrace", help="Write every layer, job and rate for https://ui.perfetto.dev.")
    ] = None,
) -> None:
    """Run a scenario on a platform under a policy.

    A summary is printed to standard error, and with it the progress of a run that takes longer than a second.
    """
    from rtsched.interop.perfetto import trace_pieces
    from rtsched.report import export, files
    from rtsched.report.console import console, parts_written, progress, simulated_time
    from rtsched.report.terminal import summary
    from rtsched.run import Interrupted, check_seed
    from rtsched.run import run as simulate

    faults = FaultList()
    workload = Workload(faults, scenario, platform, {"duration_s": duration, "load": load}, settings)
    chosen = workload.policy(faults, policy)
    faults.of(check_seed, seed)
    check_outputs(faults, {"--json": json, "--csv": csv, "--save": save, "--trace": trace}, workload.files)
    for option, path, suffix in (("--save", save, ".npz"), ("--trace", trace, ".pftrace")):
        if path is not None and not path.lower().endswith(suffix):
            faults.add(f"{option} {path}: must end in {suffix}")
    faults.report()
    assert chosen is not None
    workload.warn()
    shown_on = console(is_error=True)
    status = 0
    with progress(shown_on, simulated_time) as report, failures_of(chosen.name):
        try:
            kept = save is not None or trace is not None
            outcome = simulate(workload.compiled, chosen, seed=seed, layers=kept, rates=kept, progress=report, settings=workload.settings)
        except Interrupted as interruption:
            outcome, status = interruption.outcome, INTERRUPTED
    if json is not None:
        files.write(json, [export.to_json(outcome)])
    if csv is not None:
        files.write(csv, export.to_csv(outcome))
    if save is not None:
        outcome.save(save)
    if trace is not None:
        with progress(shown_on, parts_written, "writing") as report:
            files.write(trace, trace_pieces(outcome, report))
    shown_on.print(summary(outcome))
    if status:
        raise typer.Exit(status)
