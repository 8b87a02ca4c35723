"""``rtsched schema``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["EPILOG", "schema"]

EPILOG = """\b
Examples:
  rtsched schema scenario > scenario.schema.json
  rtsched schema platform > platform.schema.json
  rtsched schema study > study.schema.json

An editor with the YAML language server checks and completes a file that begins with

\b
  # yaml-language-server: $schema=scenario.schema.json"""


class _Document(StrEnum):
    SCENARIO = "scenario"
    PLATFORM = "platform"
    STUDY = "study"


def schema(what: Annotated[_Document, typer.Argument(metavar="WHAT", help="scenario, platform or study.")]) -> None:
    """Print the JSON Schema of scenarios, platforms or studies.

    It has every key with its type, bounds and meaning. Rules over several keys are checked by the other commands.
    """
    from rtsched.report import files
    from rtsched.report.schema import schema_json

    files.write(files.STDOUT, [schema_json(what.value)])
