"""What commands that simulate share: inputs that are loaded and checked together."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from rtsched.errors import FaultList, InputError, quoted

if TYPE_CHECKING:
    from rtsched.platform.platform import Platform
    from rtsched.policies.roles import Policy
    from rtsched.problem import Problem
    from rtsched.workload.scenario import Scenario

__all__ = [
    "DurationOption",
    "FromOption",
    "LoadOption",
    "PlatformOption",
    "PolicyOption",
    "ScenarioArgument",
    "SettingsOption",
    "ToOption",
    "Workload",
    "check_outputs",
    "input_files",
    "nanoseconds",
    "run_command",
    "table_files",
]

ScenarioArgument = Annotated[str, typer.Argument(metavar="SCENARIO", help="A built-in name, a YAML file, or package:NAME/path/inside.")]
PlatformOption = Annotated[
    str | None, typer.Option("-p", "--platform", metavar="PLATFORM", help="A built-in name or a YAML file.  [default: the scenario's own]")
]
PolicyOption = Annotated[
    str, typer.Option("-P", "--policy", metavar="POLICY", help="One of: rtsched list policies; or FILE.py:NAME, which runs the file.")
]
DurationOption = Annotated[
    float | None, typer.Option(metavar="S", help="Release frames for as many seconds.  [default: the scenario's own]")
]
LoadOption = Annotated[float | None, typer.Option(metavar="X", help="Scale rates and default deadlines.  [default: the scenario's own]")]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Replace one value, as scenario.tasks.gaze.fps=90 or mapper.alpha=1; may be repeated."
    ),
]

FromOption = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="Show what happens from then on: 1.2s, 300ms; or 300, in ms.")
]
ToOption = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Show what happens until then.")]

UNITS_MS = {"": 1.0, "s": 1e3, "ms": 1.0, "us": 1e-3, "ns": 1e-6}


def nanoseconds(name: str, text: str | None) -> int | None:
    """The nearest ns to a time with its unit; without one it is in ms."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*([-+0-9.e]+|nan|[-+]?inf)\s*([mun]?s|)\s*", text, flags=re.IGNORECASE)
    try:
        if found is None:
            raise ValueError
        ms = float(found[1]) * UNITS_MS[found[2].lower()]
    except ValueError:
        raise InputError(f"{name}: must be a time as 1.2s, 300ms or 300 (ms), got {quoted(text)}") from None
    if not math.isfinite(ms):
        raise InputError(f"{name}: must be a finite number, got {ms:g}")
    return round(ms * 1e6)


class Workload:
    """The scenario and the platform that a command was given, and the settings that change them.

    Parameters
    ----------
    faults : FaultList
        Takes whatever is wrong with them.
    scenario : str
    platform : str, optional
    changes : mapping
        What replaces the scenario's own ``duration_s`` and ``load``; None for what stays.
    settings : sequence of str, optional
        ``PATH=VALUE`` each.

    Attributes
    ----------
    problem : Problem or None
        None when there were faults.
    roles : dict
        Path to value of the settings of the policy's roles.
    settings : dict
        Path to value of all settings, as the provenance has them.
    files : dict
        What the problem is made of, so far as it is in files: real path to what it is.
    """

    def __init__(
        self,
        faults: FaultList,
        scenario: str,
        platform: str | None,
        changes: Mapping[str, float | None],
        settings: Sequence[str] | None = None,
    ) -> None:
        from rtsched.overrides import Settings
        from rtsched.run import compile

        wanted = Settings.parse(settings or ())
        self.problem = faults.of(compile, scenario, platform, **changes, settings=wanted.of_problem())
        self.roles = wanted.roles
        self.settings = wanted.given(**changes)
        own = self.problem.scenario.platform if platform is None and self.problem is not None else platform
        self.files = input_files({scenario: "the scenario"} | ({} if own is None else {own: "the platform"}))
        if self.problem is not None:
            self.files |= {**_models(scenario), **table_files(self.problem.platform), **_series(self.problem.scenario)}

    def policy(self, faults: FaultList, name: str) -> Policy | None:
        """Load a policy and change its settings; None when there are faults."""
        from rtsched.policies.registry import configure, load_policy

        self.name_policies([name])
        found = faults.of(load_policy, name)
        return None if found is None else faults.of(configure, found, self.roles)

    def name_policies(self, names: Sequence[str]) -> None:
        """Enter the files of policies into `files`."""
        from rtsched.policies import script

        self.files |= {os.path.realpath(script.path_of(one)): "the file of the policy" for one in names if script.is_script(one)}

    def warn(self) -> None:
        """Tell on standard error which deadlines nobody can meet."""
        from rtsched.feasibility import deadline_warnings

        for text in deadline_warnings(self.compiled):
            typer.echo(f"warning: {text}", err=True)

    @property
    def compiled(self) -> Problem:
        """The problem, once the faults were reported."""
        assert self.problem is not None
        return self.problem


def check_outputs(faults: FaultList, outputs: Mapping[str, str | None], inputs: Mapping[str, str]) -> None:
    """Note what cannot be written, or would overwrite an input or another output.

    Parameters
    ----------
    faults : FaultList
    outputs : mapping
        Option to path; None where the option was not given.
    inputs : mapping
        Real path to what it is.
    """
    from rtsched.report.files import STDOUT, check_writable

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


def run_command(
    scenario: str, platform: str | None, policy: str, duration: float | None, load: float | None, settings: Sequence[str]
) -> str:
    """The command that runs a scenario as another command was told to, for its user to copy."""
    words = ["rtsched", "run", scenario, *([] if platform is None else ["-p", platform]), "-P", policy]
    for option, value in (("--duration", duration), ("--load", load)):
        words += [] if value is None else [option, repr(value).removesuffix(".0")]
    return shlex.join([*words, *(word for one in settings for word in ("--set", one))])


def input_files(references: Mapping[str, str]) -> dict[str, str]:
    """Real paths of the files that references mean, so far as they mean files, to what they are."""
    from rtsched.library import YAML

    return {place: what for ref, what in references.items() for place in _places(ref, (*YAML, ".onnx"))}


def table_files(platform: Platform) -> dict[str, str]:
    """Real paths of a platform's cost tables, to what they are."""
    from rtsched.cost.table import TableCost

    return {
        os.path.realpath(one.cost.table.source): f"the cost table of accelerator {one.name!r}"
        for one in platform.accelerators
        if isinstance(one.cost, TableCost) and one.cost.file is not None
    }


def _models(scenario: str) -> dict[str, str]:
    """The real paths of the models that a scenario names."""
    from rtsched.library import model_files

    return {os.path.realpath(path): f"the model {name}" for path, name in model_files(scenario).items()}


def _series(scenario: Scenario) -> dict[str, str]:
    """The real paths of recorded arrivals and factors."""
    factors = {"the scenario": scenario.time_factor, **{f"task {task.name!r}": task.time_factor for task in scenario.tasks}}
    found = {f"the trace of task {task.name!r}": task.trace for task in scenario.tasks}
    found |= {f"the time factors of {owner}": one.values for owner, one in factors.items() if one is not None}
    return {series.path: what for what, series in found.items() if series is not None and series.path}


def _places(ref: str, suffixes: tuple[str, ...]) -> list[str]:
    """The real path of the file that a reference means, if it means one."""
    from rtsched.library import locate

    try:
        path = locate(ref, suffixes)
        return [] if path is None else [os.path.realpath(path)]
    except (InputError, ValueError):  # reported by the loader
        return []
