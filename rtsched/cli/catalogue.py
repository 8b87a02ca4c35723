"""``rtsched list`` and ``rtsched show``: what there is, and what it is."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["SHOW_EPILOG", "list_", "show"]

LISTING_COLUMNS = 1_000
"""Width of lists that do not go to a terminal: a line for each entry."""

SHOW_EPILOG = """\b
Examples:
  rtsched show vr_gaming
  rtsched show boards/board.yaml
  rtsched show mine.py:LeastLaxity
  rtsched show package:onnx/backend/test/data/light/light_resnet50.onnx"""


class _Kind(StrEnum):
    SCENARIOS = "scenarios"
    PLATFORMS = "platforms"
    POLICIES = "policies"
    MODELS = "models"
    METRICS = "metrics"


def list_(
    what: Annotated[
        _Kind | None, typer.Argument(metavar="WHAT", help="scenarios, platforms, policies, models or metrics.  [default: all of them]")
    ] = None,
) -> None:
    """List what is built in, and the policies that installed packages offer.

    In a pipe or a file each takes one line below the heading, the name first. Packages that offer policies are imported.
    """
    from rtsched.report.catalogue import listing
    from rtsched.report.console import console

    console(pipe_columns=LISTING_COLUMNS).print(listing(None if what is None else what.value))


def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A name that 'rtsched list' shows, a YAML or ONNX file, package:NAME/path/inside, or FILE.py:POLICY."
        ),
    ],
) -> None:
    """Explain a scenario, platform, policy, model or metric.

    Of a scenario the tasks are shown, of a platform the accelerators, of a policy the roles and their settings, of a model the
    kinds of layers.
    """
    from rtsched.report.catalogue import describe
    from rtsched.report.console import console

    console().print(describe(name))
