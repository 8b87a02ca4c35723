"""``rtsched explore``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

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
    run_command,
)
from rtsched.cli._lists import names_of, numbers_of, seeds_of, whole_numbers_of
from rtsched.cli._program import INTERRUPTED, POLICY_FAILED, complain, failures_of
from rtsched.errors import FaultList

if TYPE_CHECKING:
    from rtsched.study.explore.exploration import Exploration

__all__ = ["EPILOG", "explore"]

YAML = (".yaml", ".yml")

EPILOG = """\b
Examples:
  rtsched explore vr_gaming -P eft
  rtsched explore vr_gaming --dataflows ws,os --pes 512,1024 --bandwidth 45,90
  rtsched explore ar_call -P eft --accelerators 2 --clock 350,700 --meet 0.95
  rtsched explore glasses.yaml -o platform.yaml --figure front.svg

The candidates are a full grid. No smaller one than the answer meets the target: each was run until it had missed too many deadlines
for it, whatever the other seeds bring. docs/exploring.md explains the search, and which platforms are on the front.

Ctrl-C prints what is known by then, and the exit code is 130. It is 1 when there is no platform for -o to write."""


def explore(
    scenario: ScenarioArgument,
    platform: PlatformOption = None,
    policy: PolicyOption = "fcfs",
    pes: Annotated[
        str | None, typer.Option(metavar="N,N", help="PEs of an array.  [default: the platform's largest, 1/2, 1/4 and 1/8 of it]")
    ] = None,
    dataflows: Annotated[str | None, typer.Option(metavar="NAME,NAME", help="Of an array.  [default: ws, os, rs]")] = None,
    accelerators: Annotated[
        str | None, typer.Option(metavar="N-N", help="How many arrays.  [default: 1 to the platform's number, at most 3]")
    ] = None,
    bandwidth: Annotated[
        str | None, typer.Option(metavar="X,X", help="Peaks of the DRAM, GB/s.  [default: the platform's and a half of it]")
    ] = None,
    clock: Annotated[str | None, typer.Option(metavar="X,X", help="Clocks of the arrays, MHz.  [default: the platform's]")] = None,
    meet: Annotated[float, typer.Option(metavar="X", help="Part of the deadlines that must be met.")] = 0.99,
    seeds: Annotated[str, typer.Option(metavar="N", help="As many seeds, from 0; or which ones, as 5-24 or 1,2,9.")] = "20",
    duration: DurationOption = None,
    load: LoadOption = None,
    settings: SettingsOption = None,
    threads: Annotated[int | None, typer.Option(metavar="N", help="Runs side by side.  [default: the number of CPUs]")] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE.yaml", help="Write the smallest platform that meets the target.")
    ] = None,
    json: Annotated[str | None, typer.Option(metavar="FILE", help="Write what was found as JSON; - for standard output.")] = None,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write a line per candidate as CSV; - for standard output.")] = None,
    figure: Annotated[
        str | None, typer.Option(metavar="FILE", help="Draw PEs, energy and violations: .png, .svg or .pdf; needs matplotlib.")
    ] = None,
) -> None:
    """Find the smallest platform that meets the deadlines of a scenario.

    Candidates are mixes of arrays, with everything else as the platform has it. The tables are printed to standard output; to
    standard error if a file goes there.
    """
    from rtsched.report.console import StageWording, console, progress
    from rtsched.study.explore.exploration import ExplorationInterrupted, check_meet, check_rates_given, explore_problem
    from rtsched.study.explore.space import space_of
    from rtsched.study.many import check_threads
    from rtsched.study.plan import plan

    faults = FaultList()
    workload = Workload(faults, scenario, platform, {"duration_s": duration, "load": load}, settings)
    chosen = workload.policy(faults, policy)
    asked = faults.of(seeds_of, seeds)
    checked = faults.of(plan, ["fcfs" if chosen is None else chosen], 1 if asked is None else asked)
    given = {
        "pes": faults.of(whole_numbers_of, "--pes", pes),
        "dataflows": None if dataflows is None else names_of([dataflows]),
        "bandwidth_gb_per_s": faults.of(numbers_of, "--bandwidth", bandwidth),
        "clock_mhz": faults.of(numbers_of, "--clock", clock),
        "accelerators": faults.of(whole_numbers_of, "--accelerators", accelerators),
    }
    space = None
    if workload.problem is not None:
        faults.of(check_rates_given, workload.problem)
        space = faults.of(space_of, workload.problem.platform, given)
    faults.of(check_meet, meet)
    faults.of(check_threads, threads)
    outputs = _Outputs(output, json, csv, figure)
    outputs.check(faults, workload)
    faults.report()
    assert chosen is not None
    assert checked is not None
    assert space is not None
    wording = StageWording()
    with progress(console(is_error=True), wording) as report, failures_of(chosen.name):

        def tell(title: str, n_done: int, n_runs: int) -> None:
            wording.begin(title)
            if report is not None:
                report(n_done, n_runs)

        try:
            found = explore_problem(
                workload.compiled, chosen, space, checked.seeds, meet=meet, settings=workload.settings, threads=threads, progress=tell
            )
        except ExplorationInterrupted as interruption:
            found = interruption.exploration
    if not found.is_complete:
        complain([f"interrupted; {len(found.evaluated):,} of {space.n_candidates:,} candidates have run"])
    outputs.write(found)
    if not found.is_complete:
        raise typer.Exit(INTERRUPTED)
    if output is not None and found.smallest is None:
        raise typer.Exit(POLICY_FAILED)
    if output is not None:
        kept = [one for one in settings or () if not one.startswith("platform.")]  # the others are in the file
        typer.echo(f"to run it: {run_command(scenario, output, policy, duration, load, kept)}", err=True)


@dataclass(frozen=True)
class _Outputs:
    """The files that are asked for."""

    platform: str | None
    json: str | None
    csv: str | None
    figure: str | None

    def check(self, faults: FaultList, workload: Workload) -> None:
        """Note what cannot be written."""
        from rtsched.report.figures.style import matplotlib_parts, suffix_of

        check_outputs(faults, {"-o": self.platform, "--json": self.json, "--csv": self.csv, "--figure": self.figure}, workload.files)
        if self.platform is not None and not self.platform.lower().endswith(YAML):
            faults.add(f"-o {self.platform}: must end in {' or '.join(YAML)}")
        if self.figure is not None:
            faults.of(suffix_of, self.figure)
            faults.of(matplotlib_parts)

    def write(self, found: Exploration) -> None:
        """Write them, and print the tables."""
        from rtsched.interop.model_yaml import dump_platform
        from rtsched.report import exploration, files
        from rtsched.report.console import console
        from rtsched.report.exploration_figure import draw_exploration
        from rtsched.report.roofline import suffix_of

        if self.platform is not None and found.smallest is not None:
            files.write(self.platform, [dump_platform(found.smallest.platform)])
        if self.json is not None:
            files.write(self.json, [exploration.to_json(found)])
        if self.csv is not None:
            files.write(self.csv, exploration.to_csv(found))
        if self.figure is not None:
            files.write(self.figure, [draw_exploration(found, suffix_of(self.figure))])
        console(is_error=files.STDOUT in (self.json, self.csv)).print(exploration.summary(found))
        if self.platform is not None and found.smallest is None:
            complain([f"{self.platform} is not written: no platform was found that meets the target"])
