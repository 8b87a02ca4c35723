"""JSON Schemas of what users write, for editors: keys, types, bounds, and what the docstrings say about them.

What concerns several keys together, such as that a task has exactly one law of arrival, is not in a schema; it is checked when a
file is read.
"""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from rtsched.platform.platform import Platform
from rtsched.study.sweep.model import Study
from rtsched.workload.scenario import Scenario

__all__ = ["DIALECT", "schema", "schema_json"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

DOCUMENTS: dict[str, type[BaseModel]] = {"scenario": Scenario, "platform": Platform, "study": Study}

_SECTION = re.compile(r"^(\w[\w ]*)\n-+$", flags=re.MULTILINE)
_ENTRY = re.compile(r"^(\w[\w, ]*) : .*$", flags=re.MULTILINE)


def schema(what: str) -> dict[str, Any]:
    """Return the JSON Schema of a kind of file.

    Parameters
    ----------
    what : {"scenario", "platform", "study"}

    Returns
    -------
    dict
        Draft 2020-12.
    """
    return {"$schema": DIALECT, **DOCUMENTS[what].model_json_schema(schema_generator=_Described)}


def schema_json(what: str) -> str:
    """Return `schema` as JSON, indented, with a line break at the end."""
    return json.dumps(schema(what), indent=2, allow_nan=False) + "\n"


class _Described(GenerateJsonSchema):
    """Pydantic's schemas, with descriptions from docstrings in numpydoc's format."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Leave titles out: they would repeat the key."""
        return False

    def model_schema(self, schema: Any) -> dict[str, Any]:
        """Describe a model and its fields."""
        made = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        made["description"] = _sections(model).get("", "")
        for name, text in _described_fields(model).items():
            if text and name in made["properties"]:
                made["properties"][name]["description"] = text
        # The key that tells the members of a union apart cannot be left out, though it has a default in Python.
        required = {*made.get("required", ()), *(name for name, one in made["properties"].items() if "const" in one)}
        made["required"] = [name for name in made["properties"] if name in required]
        return made

    def tagged_union_schema(self, schema: Any) -> dict[str, Any]:
        """Leave out what only OpenAPI knows."""
        made = super().tagged_union_schema(schema)
        made.pop("discriminator", None)
        return made


def _described_fields(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a model and of those that it extends say about each field."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, BaseModel):
            parts = _ENTRY.split(_sections(one).get("Attributes", ""))[1:]
            for names, text in zip(parts[::2], parts[1::2], strict=True):
                found |= dict.fromkeys(names.split(", "), _plain(text))
    return found


def _sections(model: type[BaseModel]) -> dict[str, str]:
    """The sections of a model's own docstring by title; the text before the first one has none."""
    parts = _SECTION.split(inspect.cleandoc(vars(model).get("__doc__") or ""))
    return {"": _plain(parts[0]), **dict(zip(parts[1::2], parts[2::2], strict=True))}


def _plain(text: str) -> str:
    """Undo line breaks and the marks of code."""
    paragraphs = (" ".join(one.split()) for one in text.split("\n\n"))
    return "\n\n".join(one for one in paragraphs if one).replace("`", "")
