"""``rtsched bound``."""

from __future__ import annotations

from typing import Annotated

import typer

from rtsched.cli._inputs import DurationOption, LoadOption, PlatformOption, ScenarioArgument, SettingsOption, Workload, check_outputs
from rtsched.errors import FaultList

__all__ = ["EPILOG", "bound"]

EPILOG = """\b
Examples:
  rtsched bound vr_gaming
  rtsched bound vr_gaming -p dream_4k_2ws --load 2 --seed 3
  rtsched bound glasses.yaml --json -

rtsched compare --bound shows how far policies are from it. docs/bounds.md tells why no schedule has more, and how far above the best
schedule it may be."""


def bound(
    scenario: ScenarioArgument,
    platform: PlatformOption = None,
    seed: Annotated[int, typer.Option(metavar="N", help="0 to 2**64 - 1. Which frames: those of the same seed in a run.")] = 0,
    duration: DurationOption = None,
    load: LoadOption = None,
    settings: SettingsOption = None,
    json: Annotated[str | None, typer.Option(metavar="FILE", help="Write the bound as JSON; - for standard output.")] = None,
) -> None:
    """Bound the jobs that any scheduler can meet.

    The bound is the optimum of a linear program in which jobs may be interrupted and moved at any time and memory is never short.
    It is printed to standard output; to standard error if the file goes there.
    """
    from rtsched.bounds.bounding import bounds_of, check_no_roles
    from rtsched.bounds.jobs import check_jobs_known
    from rtsched.report import bound as report
    from rtsched.report import files
    from rtsched.report.console import console, finished_bounds, progress
    from rtsched.run import check_seed

    faults = FaultList()
    workload = Workload(faults, scenario, platform, {"duration_s": duration, "load": load}, settings)
    faults.of(check_no_roles, workload.roles)
    faults.of(check_seed, seed)
    if workload.problem is not None:
        faults.of(check_jobs_known, workload.problem)
    check_outputs(faults, {"--json": json}, workload.files)
    faults.report()
    workload.warn()
    with progress(console(is_error=True), finished_bounds, "solving") as told:
        (found,) = bounds_of(workload.compiled, [seed], progress=told, settings=workload.settings)
    if json is not None:
        files.write(json, [report.to_json(found)])
    console(is_error=json == files.STDOUT).print(found.summary())
