"""Models, scenarios and platforms as YAML that people read and edit: one layer per line, defaults left out."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from rtsched.platform.platform import Platform
from rtsched.workload.layer import LayerBase
from rtsched.workload.model import Model
from rtsched.workload.scenario import Scenario

__all__ = ["dump_model", "dump_platform", "dump_scenario"]

_PLAIN = re.compile(r"[A-Za-z_][\w./ -]*[\w.]|[A-Za-z_]", re.ASCII)
"""Text that stands without quotes, unless it is a word of YAML; the emitter quotes those."""


def dump_model(model: Model) -> str:
    """Write a model as YAML.

    Parameters
    ----------
    model : Model

    Returns
    -------
    str
        YAML 1.2. Reading it back gives an equal model.

    Examples
    --------
    >>> from rtsched.workload.layer import Conv
    >>> layers = (Conv(name="stem", in_channels=3, out_channels=16, size=32, kernel=3, padding=1),)
    >>> print(dump_model(Model(name="tiny", layers=layers)), end="")
    name: tiny
    layers:
    - {name: stem, kind: conv, size: 32, kernel: 3, padding: 1, in_channels: 3, out_channels: 16}
    """
    return _dumped(model)


def dump_scenario(scenario: Scenario) -> str:
    """Write a scenario as YAML, its models in place.

    Parameters
    ----------
    scenario : Scenario
        Without recorded arrivals and measured time factors.

    Returns
    -------
    str
        YAML 1.2. Reading it back gives an equal scenario.
    """
    return _dumped(scenario)


def dump_platform(platform: Platform) -> str:
    """Write a platform as YAML.

    Parameters
    ----------
    platform : Platform
        Without tables of measured costs.

    Returns
    -------
    str
        YAML 1.2. Reading it back gives an equal platform.
    """
    return _dumped(platform)


def _dumped(value: BaseModel) -> str:
    yaml = YAML()
    yaml.width = 2**31 - 1
    yaml.allow_unicode = True
    text = StringIO()
    yaml.dump(_plain(value), text)
    return text.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _mapping(value)
    if isinstance(value, tuple) and value and all(isinstance(one, int) for one in value):
        return _sides(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return _text(value) if isinstance(value, str) else value


def _mapping(value: BaseModel) -> CommentedMap:
    """The fields that are not at their defaults, and the kind of a cost model. A layer is one line; its kind follows its name."""
    fields = type(value).model_fields
    is_given = {name: name == "model" or getattr(value, name) != field.default for name, field in fields.items()}
    given = {name: _plain(getattr(value, name)) for name in fields if is_given[name]}
    if not isinstance(value, LayerBase):
        return CommentedMap(given)
    line = CommentedMap({"name": given.pop("name"), "kind": value.kind} | given)
    line.fa.set_flow_style()
    return line


def _sides(value: tuple[int, ...]) -> int | CommentedSeq:
    """The shortest form that the layers accept: one number for all, or two for vertical and horizontal."""
    if len(set(value)) == 1:
        return value[0]
    sides = CommentedSeq(value[:2] if len(value) == 4 and value[:2] == value[2:] else value)
    sides.fa.set_flow_style()
    return sides


def _text(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else DoubleQuotedScalarString(value)
