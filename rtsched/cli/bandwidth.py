"""``rtsched bandwidth``."""

from __future__ import annotations

from typing import Annotated

import typer

from rtsched.cli._inputs import (
    DurationOption,
    FromOption,
    LoadOption,
    PlatformOption,
    PolicyOption,
    ScenarioArgument,
    SettingsOption,
    ToOption,
    Workload,
    check_outputs,
    nanoseconds,
)
from rtsched.cli._program import failures_of
from rtsched.errors import FaultList

__all__ = ["EPILOG", "bandwidth"]

EPILOG = """\b
Examples:
  rtsched bandwidth vr_gaming -P edf -o bandwidth.png
  rtsched bandwidth vr_gaming -P edf --from 100 --to 120 -o bandwidth.pdf
  rtsched bandwidth moca_c -P moca --duration 0.1 -o rates.csv

docs/formats.md explains the CSV. Pictures need matplotlib: pip install 'rtsched[plot]'"""


def bandwidth(
    scenario: ScenarioArgument,
    output: Annotated[
        str,
        typer.Option("-o", "--output", metavar="FILE", help="The picture (.png, .svg, .pdf) or the rows (.csv; - for standard output)."),
    ],
    platform: PlatformOption = None,
    policy: PolicyOption = "fcfs",
    seed: Annotated[int, typer.Option(metavar="N", help="0 to 2**64 - 1.")] = 0,
    duration: DurationOption = None,
    load: LoadOption = None,
    settings: SettingsOption = None,
    since: FromOption = None,
    until: ToOption = None,
) -> None:
    """Run a scenario and show who is given how much of the DRAM's bandwidth over time.

    The picture has what all running layers demand and what the DRAM delivers to as many; what the layers of each task are
    given, stacked; and their caps, if a regulator sets any. Without --from and --to it shows the 5 ms in which most is
    demanded. The CSV has a row for every change; without --from and --to, of the whole run.
    """
    from rtsched.report import bandwidth as rates
    from rtsched.report import files
    from rtsched.report.bandwidth_figure import draw_bandwidth
    from rtsched.report.console import console, progress, simulated_time
    from rtsched.report.figures.style import SUFFIXES, matplotlib_parts, suffix_of
    from rtsched.run import check_seed
    from rtsched.run import run as simulate

    faults = FaultList()
    workload = Workload(faults, scenario, platform, {"duration_s": duration, "load": load}, settings)
    chosen = workload.policy(faults, policy)
    faults.of(check_seed, seed)
    suffix = ".csv" if output == files.STDOUT else faults.of(suffix_of, output, (*SUFFIXES, ".csv"))
    if suffix in SUFFIXES:
        faults.of(matplotlib_parts)
    if suffix is not None:
        check_outputs(faults, {"-o": output}, workload.files)
    window = faults.of(nanoseconds, "from", since), faults.of(nanoseconds, "to", until)
    if workload.problem is not None:
        faults.of(rates.check_window, *window, workload.problem.end_ns)
    faults.report()
    assert chosen is not None
    with progress(console(is_error=True), simulated_time) as report, failures_of(chosen.name):
        outcome = simulate(workload.compiled, chosen, seed=seed, rates=True, progress=report, settings=workload.settings)
    rates.check_window(*window, outcome.end_ns)
    if suffix == ".csv":
        files.write(output, rates.to_csv(outcome, *window))
        return
    if since is None and until is None:
        shown = rates.busiest(outcome)
    else:
        shown = window[0] or 0, min(window[1] or outcome.end_ns, outcome.end_ns)
    files.write(output, [draw_bandwidth(outcome, suffix or "", *shown)])
