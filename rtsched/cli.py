"""The command line. Each command reads its inputs, calls the library and prints what it answers.

Results go to the files that are asked for, and to standard output where that is asked for; whatever else a run tells goes to
standard error. ``list``, ``show``, ``--help`` and ``--version`` are questions: they answer on standard output.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from rtsched._version import __version__
from rtsched.errors import InputError, PolicyError

__all__ = ["app", "main"]

MAX_MESSAGES = 20
"""The most faults that are printed; a thousand would push the first ones off the terminal."""

POLICY_FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
"""Exit codes. The last is what shells report for a program that Ctrl-C has ended."""

MAX_DIGITS = 15
"""Of the size of a dimension."""

LISTING_COLUMNS = 1_000
"""Width of lists that do not go to a terminal: a line for each entry."""

ResultT = TypeVar("ResultT")


class _Program(TyperGroup):
    """The one place where failures become messages and exit codes."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            _complain(error.faults)
            raise typer.Exit(BAD_INPUT) from None
        except PolicyError as error:
            _complain([str(error), *_left_behind(error)])
            raise typer.Exit(POLICY_FAILED) from None
        except BrokenPipeError:
            raise  # typer's affair: quietly, with code 1
        except OSError as error:  # a full disk behind a redirection
            _complain([f"output cannot be written: {error.strerror or error}"])
            raise typer.Exit(BAD_INPUT) from None
        except MemoryError:
            _complain(["out of memory; a shorter --duration, a lower --load or smaller inputs need less"])
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            _complain(["interrupted"])
            raise typer.Exit(INTERRUPTED) from None


class _Faults:
    """Faults of several inputs, to be reported together."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def of(self, call: Callable[..., ResultT], *arguments: Any, **options: Any) -> ResultT | None:
        """Call, and return the answer; None when that finds faults."""
        try:
            return call(*arguments, **options)
        except InputError as error:
            self._found += error.faults
            return None

    def add(self, fault: str) -> None:
        """Note a fault."""
        self._found.append(fault)

    def report(self) -> None:
        """Raise the faults, if there are any."""
        if self._found:
            raise InputError(self._found)


app = typer.Typer(cls=_Program, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
import_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Turn a model of another format into YAML.")


def main() -> None:
    """Run the program ``rtsched``."""
    try:
        app(prog_name="rtsched")
    except KeyboardInterrupt:  # before the command, or while its result is being told
        _complain(["interrupted"])
        sys.exit(INTERRUPTED)


def _complain(messages: Sequence[str]) -> None:
    for message in messages[:MAX_MESSAGES]:
        typer.echo(message, err=True)
    if len(messages) > MAX_MESSAGES:
        typer.echo(f"and {len(messages) - MAX_MESSAGES} more", err=True)


def _left_behind(error: PolicyError) -> list[str]:
    if error.outcome is None:
        return []
    return [
        f"The run had reached {error.outcome.end_ns * 1e-9:.6g} s with {len(error.outcome.jobs)} jobs; no file was written. "
        "In Python, PolicyError.outcome holds the outcome of that part."
    ]


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"rtsched {__version__}")
        raise typer.Exit


@app.callback(
    invoke_without_command=True,
    epilog="""\b
Examples:
  rtsched list scenarios
  rtsched show vr_gaming
  rtsched run vr_gaming -P edf

Exit code: 0 when all went well, 1 when a policy broke its contract, 2 when an input or an option is at fault (with one message
per fault), 130 after Ctrl-C.""",
)
def _root(
    context: typer.Context,
    is_version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")] = False,
) -> None:
    """Simulate real-time multi-model DNN workloads on multi-accelerator systems.

    A scenario (which models run, how often, by when) runs on a platform (accelerators that share a memory) under a policy
    (who runs where, and when). Scenarios, platforms and models are built in or come from YAML files.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(
    epilog="""\b
Examples:
  rtsched run vr_gaming
  rtsched run vr_gaming -p dream_8k_1ws2os -P edf --seed 3
  rtsched run glasses.yaml --load 1.5 --json out.json --csv jobs.csv
  rtsched run vr_gaming -P mine.py:LeastLaxity
  rtsched run vr_gaming --json - | jq .metrics.uxcost

docs/formats.md explains what is in the files. A file is written whole or not at all.

Ctrl-C ends the run where it stands. The summary and the files then hold what was done until then, marked as partial (in JSON:
"complete": false), and the exit code is 130.""",
)
def run(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A built-in name, a YAML file, or package:NAME/path/inside.")],
    platform: Annotated[
        str | None, typer.Option("-p", "--platform", metavar="PLATFORM", help="Likewise.  [default: the scenario's own]")
    ] = None,
    policy: Annotated[
        str, typer.Option("-P", "--policy", metavar="POLICY", help="One of: rtsched list policies; or FILE.py:NAME, which runs the file.")
    ] = "fcfs",
    seed: Annotated[int, typer.Option(metavar="N", help="0 to 2**64 - 1. The same seed gives every policy the same frames.")] = 0,
    duration: Annotated[
        float | None, typer.Option(metavar="S", help="Release frames for as many seconds.  [default: the scenario's own]")
    ] = None,
    load: Annotated[
        float | None, typer.Option(metavar="X", help="Scale rates and default deadlines.  [default: the scenario's own]")
    ] = None,
    json: Annotated[str | None, typer.Option(metavar="FILE", help="Write every metric as JSON; - for standard output.")] = None,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write a line per job as CSV; - for standard output.")] = None,
) -> None:
    """Run a scenario on a platform under a policy.

    A summary is printed to standard error, and with it the progress of a run that takes longer than a second.
    """
    from rtsched.report import export, files
    from rtsched.report.console import console, progress
    from rtsched.report.terminal import summary
    from rtsched.run import Interrupted
    from rtsched.run import run as simulate

    changes = {"duration_s": duration, "load": load}
    problem, chosen = _inputs(scenario, platform, policy, seed, changes, outputs={"--json": json, "--csv": csv})
    shown_on = console(is_error=True)
    status = 0
    with progress(shown_on) as report:
        try:
            outcome = simulate(problem, chosen, seed=seed, progress=report)
        except Interrupted as interruption:
            outcome, status = interruption.outcome, INTERRUPTED
    if json is not None:
        files.write(json, [export.to_json(outcome)])
    if csv is not None:
        files.write(csv, export.to_csv(outcome))
    shown_on.print(summary(outcome))
    if status:
        raise typer.Exit(status)


def _inputs(
    scenario: str, platform: str | None, policy: str, seed: int, changes: dict[str, float | None], outputs: dict[str, str | None]
) -> Any:
    """Return the compiled problem and the policy, or report what is wrong with any of the options."""
    from rtsched.cost.table import TableCost
    from rtsched.library import YAML, load_platform, load_scenario
    from rtsched.policies import script
    from rtsched.policies.registry import load_policy
    from rtsched.report.files import STDOUT, check_writable
    from rtsched.run import compile

    faults = _Faults()
    found = faults.of(load_scenario, scenario)
    hardware = None if platform is None else faults.of(load_platform, platform)
    is_found = found is not None and (platform is None or hardware is not None)
    valid = {name: value for name, value in changes.items() if value is not None and faults.of(_check_change, name, value)}
    problem = faults.of(compile, found, hardware, **valid) if is_found else None
    chosen = faults.of(load_policy, policy)
    if not 0 <= seed < 2**64:
        faults.add(f"seed must be an integer from 0 to 2**64 - 1, got {_short(str(seed))}")
    own = found.platform if found is not None and platform is None else platform
    inputs = {place: what for ref, what in ((scenario, "the scenario"), (own, "the platform")) for place in _places(ref, YAML)}
    if script.is_script(policy):
        inputs[os.path.realpath(script.path_of(policy))] = "the file of the policy"
    for one in () if problem is None else problem.platform.accelerators:
        if isinstance(one.cost, TableCost) and one.cost.file is not None:
            inputs[os.path.realpath(one.cost.table.source)] = f"the cost table of accelerator {one.name!r}"
    written: dict[str, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        place = path if path == STDOUT else os.path.realpath(path)
        if place in inputs:
            faults.add(f"{option} {path}: would overwrite {inputs[place]}")
        elif place in written:
            faults.add(f"{written[place]} and {option} cannot both be written to {path}")
        else:
            faults.of(check_writable, path)
            written[place] = option
    faults.report()
    return problem, chosen


def _check_change(name: str, value: float) -> bool:
    """Check a value that replaces the scenario's, even when there is no scenario."""
    from pydantic import TypeAdapter, ValidationError

    from rtsched.workload.scenario import Scenario

    field = Scenario.model_fields[name]
    bounded: Any = Annotated[float, field]
    try:
        TypeAdapter(bounded).validate_python(value)
    except ValidationError as error:
        raise InputError([f"{name}: {one['msg'].replace('Input should ', 'must ')}, got {value!r}" for one in error.errors()]) from None
    return True


def _places(ref: str | None, suffixes: tuple[str, ...]) -> list[str]:
    """The real path of the file that a reference means, if it means one."""
    from rtsched.library import locate

    try:
        path = None if ref is None else locate(ref, suffixes)
        return [] if path is None else [os.path.realpath(path)]
    except (InputError, ValueError):  # reported by the loader
        return []


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


class _Kind(StrEnum):
    SCENARIOS = "scenarios"
    PLATFORMS = "platforms"
    POLICIES = "policies"
    MODELS = "models"


@app.command("list")
def list_(
    what: Annotated[
        _Kind | None, typer.Argument(metavar="WHAT", help="scenarios, platforms, policies or models.  [default: all of them]")
    ] = None,
) -> None:
    """List what is built in, and the policies that installed packages offer.

    In a pipe or a file each takes one line below the heading, the name first. Packages that offer policies are imported.
    """
    from rtsched.report.catalogue import listing
    from rtsched.report.console import console

    console(pipe_columns=LISTING_COLUMNS).print(listing(None if what is None else what.value))


@app.command(
    epilog="""\b
Examples:
  rtsched show vr_gaming
  rtsched show boards/board.yaml
  rtsched show mine.py:LeastLaxity
  rtsched show package:onnx/backend/test/data/light/light_resnet50.onnx"""
)
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A name that 'rtsched list' shows, a YAML or ONNX file, package:NAME/path/inside, or FILE.py:POLICY."
        ),
    ],
) -> None:
    """Explain a scenario, platform, policy or model.

    Of a scenario the tasks are shown, of a platform the accelerators, of a policy the roles and their settings, of a model the
    kinds of layers.
    """
    from rtsched.report.catalogue import describe
    from rtsched.report.console import console

    console().print(describe(name))


app.add_typer(import_app, name="import")


@import_app.callback()
def _import() -> None:
    """Turn a model of another format into YAML."""


class _Unknown(StrEnum):
    REFUSE = "refuse"
    FREE = "free"


@import_app.command(
    "onnx",
    epilog="""\b
Examples:
  rtsched import onnx resnet.onnx -o resnet.yaml
  rtsched import onnx bert.onnx --batch 1 --dim sequence=128 -o bert.yaml""",
)
def import_onnx(
    model: Annotated[str, typer.Argument(metavar="MODEL.onnx", help="A file, or package:NAME/path/inside. Weights need not be there.")],
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Write the model as YAML; - for standard output.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the model.  [default: the file's]")] = None,
    batch: Annotated[int | None, typer.Option(metavar="N", help="First dimension of the inputs.  [default: the file's]")] = None,
    dim: Annotated[list[str] | None, typer.Option(metavar="NAME=N", help="Size of a symbolic dimension; may be repeated.")] = None,
    unknown: Annotated[_Unknown, typer.Option(help="What to do with operators that have no layer.")] = _Unknown.REFUSE,
) -> None:
    """Import an ONNX model.

    Its layers are read and summed up on standard error; with -o they are written as YAML, to be edited and used by scenarios.
    """
    from rtsched.interop.model_yaml import dump_model
    from rtsched.interop.onnx import load_onnx
    from rtsched.report import files
    from rtsched.report.catalogue import describe_import
    from rtsched.report.console import console

    faults = _Faults()
    path = faults.of(_onnx_file, model)
    sizes = faults.of(_sizes, dim or [])
    if output is not None:
        faults.of(_check_yaml, output)
    if output is not None and path is not None and os.path.realpath(output) == os.path.realpath(path):
        faults.add(f"--output {output}: would overwrite the model")
    faults.report()
    imported = load_onnx(path or "", name=name, batch=batch, dimensions=sizes, unknown=unknown.value)
    if output is not None:
        files.write(output, [dump_model(imported.model)])
    console(is_error=True).print(describe_import(imported))


def _onnx_file(ref: str) -> Path:
    from rtsched.library import locate

    path = locate(ref, (".onnx",))
    if path is None:
        raise InputError(f"{ref}: must be a file that ends in .onnx")
    return path


def _sizes(dimensions: Sequence[str]) -> dict[str, int]:
    """Read ``NAME=N``; the name may hold equals signs."""
    sizes: dict[str, int] = {}
    faults = []
    for text in dimensions:
        name, _, size = text.rpartition("=")
        if not name or not size.isdecimal():
            faults.append(f"--dim: must be NAME=N with a whole number N, got {_short(text)!r}")
        elif len(size) > MAX_DIGITS:
            faults.append(f"--dim: {_short(name)!r} is a number of {len(size)} digits; at most {MAX_DIGITS} make sense")
        elif name in sizes:
            faults.append(f"--dim: {_short(name)!r} is given twice")
        else:
            sizes[name] = int(size)
    if faults:
        raise InputError(faults)
    return sizes


def _check_yaml(output: str) -> None:
    from rtsched.library import YAML
    from rtsched.report.files import STDOUT, check_writable

    if output != STDOUT and not output.lower().endswith(YAML):
        raise InputError(f"{output}: must end in {' or '.join(YAML)}, or be - for standard output")
    check_writable(output)
