"""``rtsched replay``."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from rtsched.cli._inputs import check_outputs
from rtsched.cli._program import INTERRUPTED, failures_of
from rtsched.errors import FaultList

__all__ = ["EPILOG", "replay"]

EPILOG = """\b
Examples:
  rtsched replay --requests requests.csv --latencies actual.csv -P edf \\
      -o finish.csv
  rtsched replay --requests requests.csv --latencies actual.csv \\
      --estimates average.csv -P dysta -o finish.csv --json metrics.json
  rtsched replay --requests requests.csv --latencies actual.csv -P sdrm3 \\
      --set mapper.alpha=0.5 -o - | sort -t, -k4n

docs/replay.md has the columns of all tables and the rules. A file is written whole or not at all."""


def replay(
    requests: Annotated[str, typer.Option(metavar="FILE.csv", help="Who asks for what, when and by when.")],
    latencies: Annotated[str, typer.Option(metavar="FILE.csv", help="What each layer of each sample really takes.")],
    estimates: Annotated[
        str | None, typer.Option(metavar="FILE.csv", help="What schedulers see.  [default: the mean over the samples of each model]")
    ] = None,
    policy: Annotated[str, typer.Option("-P", "--policy", metavar="POLICY", help="As for rtsched run.")] = "fcfs",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Replace one setting of the policy, as mapper.alpha=0.5; may be repeated."),
    ] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE.csv", help="Write when each request finished; - for standard output.")
    ] = None,
    json: Annotated[str | None, typer.Option(metavar="FILE", help="Write every metric as JSON; - for standard output.")] = None,
    save: Annotated[str | None, typer.Option(metavar="FILE.npz", help="Write everything, with every layer: for rtsched check.")] = None,
) -> None:
    """Replay recorded requests with recorded latencies on one accelerator under a policy.

    Decisions and ties follow the simulator that was published with Dysta, so that its results come out again. A summary is
    printed to standard error.
    """
    from rtsched.overrides import Settings
    from rtsched.policies import script
    from rtsched.recorded.replay import finish_lines, load_recording, replay_policy, run_recording
    from rtsched.report import export, files
    from rtsched.report.console import console, progress, simulated_time
    from rtsched.report.terminal import summary
    from rtsched.run import Interrupted

    faults = FaultList()
    tables = {"the requests": requests, "the latencies": latencies, "the estimates": estimates}
    inputs = {os.path.realpath(path): what for what, path in tables.items() if path is not None}
    if script.is_script(policy):
        inputs[os.path.realpath(script.path_of(policy))] = "the file of the policy"
    recording = faults.of(load_recording, requests, latencies, estimates)
    wanted = Settings.parse(settings or ())
    for fault in wanted.faults:
        faults.add(fault)
    for one in (*wanted.of_scenario, *wanted.of_platform):
        faults.add(f"{one.label}: a replay has settings of the policy only, such as mapper.NAME")
    found = faults.of(replay_policy, policy, wanted.roles)
    check_outputs(faults, {"--output": output, "--json": json, "--save": save}, inputs)
    if save is not None and not save.lower().endswith(".npz"):
        faults.add(f"--save {save}: must end in .npz")
    faults.report()
    assert recording is not None
    assert found is not None
    shown_on = console(is_error=True)
    status = 0
    with progress(shown_on, simulated_time) as report, failures_of(found[0].name):
        try:
            kept = save is not None
            outcome = run_recording(recording, *found, layers=kept, rates=kept, progress=report)
        except Interrupted as interruption:
            outcome, status = interruption.outcome, INTERRUPTED
    if json is not None:
        files.write(json, [export.to_json(outcome)])
    if output is not None:
        files.write(output, finish_lines(recording, outcome))
    if save is not None:
        outcome.save(save)
    shown_on.print(summary(outcome))
    if status:
        raise typer.Exit(status)
