"""Documents: what users write, read strictly, with the line and column of every fault.

Values keep their position, so that a fault that is found after parsing is still reported where it stands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from rtsched._files import open_regular
from rtsched._yaml import Node, Place, Step, compose, resolve
from rtsched.errors import Fault, FaultsError, InputError, reason_of, short

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["Document", "explain", "hint", "path_text", "read_document"]

MAX_BYTES = 10_000_000
MAX_FAULTS = 1_000

ModelT = TypeVar("ModelT", bound=BaseModel)
Steps = tuple[Step, ...]

_IDENTIFIER = re.compile(r"[A-Za-z_][\w-]*")


def read_document(path: str | os.PathLike[str], model: type[ModelT], *, context: Mapping[str, Any] | None = None) -> ModelT:
    """Read a file into a model.

    Parameters
    ----------
    path : str or path
    model : subclass of pydantic.BaseModel
    context : mapping, optional
        Added to the validation context, which holds the file's folder as ``base`` and ``is_confined`` as True.

    Returns
    -------
    instance of `model`

    Raises
    ------
    rtsched.errors.InputError
        One message per fault, all at once.
    """
    return Document.read(path).validate(model, context=context)


def hint(word: str, known: Iterable[str], label: str = "") -> str:
    """Say which known word was probably meant, or else which there are.

    Parameters
    ----------
    word : str
    known : iterable of str
    label : str
        Introduces the list of known words; without one they are not listed.

    Returns
    -------
    str
        The end of a message: ``; did you mean 'fps'?`` or ``; known keys: fps, name`` or nothing.
    """
    known = list(known)
    folded = {one.casefold(): one for one in reversed(known)}
    close = get_close_matches(word, known, n=1) or [folded[one] for one in get_close_matches(word.casefold(), folded, n=1)]
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; {label}: {', '.join(known)}" if label and known else ""


class Document:
    """A YAML document whose faults are collected and reported together.

    Parameters
    ----------
    data : bytes
        UTF-8.
    file : str
        What messages call it.
    folder : path
        What relative paths inside it start from.

    Attributes
    ----------
    value : object
        Its content as dict, tuple, str, int, float, bool and None. Aliases share one object.

    Raises
    ------
    rtsched.errors.InputError
        When it is not one YAML document within the limits on size, depth and aliases.
    """

    def __init__(self, data: bytes, file: str, folder: str | os.PathLike[str] = ".") -> None:
        self.file = file
        self.folder = Path(folder)
        self._root = compose(data, file)
        self._faults: list[tuple[Place, str]] = []
        self.value = self._root.value

    @classmethod
    def read(cls, path: str | os.PathLike[str], file: str | None = None) -> Document:
        """Read a file.

        Parameters
        ----------
        path : str or path
        file : str, optional
            What messages call it. Default: `path`.

        Raises
        ------
        rtsched.errors.InputError
            When it cannot be read or is no YAML document.
        """
        file = os.fspath(path) if file is None else file
        return cls(_read_bytes(Path(path), file), file, Path(path).parent)

    def fault(self, path: Steps, message: str) -> None:
        """Note a fault of the value at `path`; `validate` or `raise_faults` reports it.

        Parameters
        ----------
        path : tuple of str and int
            Keys and list indices from the root. What is missing is reported at the innermost value that is there.
        message : str
        """
        self._note(_innermost(self._root, path).place, path, message)

    def placed(self, path: Steps, message: str) -> str:
        """Write a fault of the value at `path` as `fault` would report it."""
        return self._text(_innermost(self._root, path).place, path, message)

    def raise_faults(self) -> None:
        """Report the faults noted so far, if any, in the order of the file.

        Raises
        ------
        rtsched.errors.InputError
        """
        if self._faults:
            # Several checks may agree on one fault: a scalar that stands for two dimensions is found wrong twice.
            raise InputError(list(dict.fromkeys(text for _, text in sorted(self._faults, key=itemgetter(0)))))

    def validate(self, model: type[ModelT], *, context: Mapping[str, Any] | None = None) -> ModelT:
        """Turn the document into a model.

        Parameters
        ----------
        model : subclass of pydantic.BaseModel
            Its lists are tuples. Types are strict: a quoted number is text, an integer may stand for a float.
        context : mapping, optional
            Added to the validation context, which holds `folder` as ``base`` and ``is_confined`` as True: files that the document
            names must lie below it.

        Returns
        -------
        instance of `model`

        Raises
        ------
        rtsched.errors.InputError
            One message per fault, those noted before included.
        """
        if not isinstance(self.value, dict):
            self.fault((), f"must be a mapping of keys to values, got {self._root}")
            self.raise_faults()
        try:
            result = model.model_validate(self.value, strict=True, context={"base": self.folder, "is_confined": True, **(context or {})})
        except ValidationError as error:
            self._note_all(error, model)
            self.raise_faults()
            raise
        self.raise_faults()
        return result

    def _note(self, place: Place, path: Steps, message: str) -> None:
        self._faults.append((place, self._text(place, path, message)))

    def _text(self, place: Place, path: Steps, message: str) -> str:
        shown = path_text(path)
        return f"{self.file}:{place[0] + 1}:{place[1] + 1}" + (f" {shown}" if shown else "") + f": {message}"

    def _note_all(self, error: ValidationError, model: type[BaseModel]) -> None:
        faults = _causes(error)
        for one in faults[:MAX_FAULTS]:
            for place, path, text in _explained(one, self._root, model):
                self._note(place, path, text)
        if len(faults) > MAX_FAULTS:
            self._faults.append(((MAX_BYTES, 0), f"{self.file}: {len(faults) - MAX_FAULTS} more faults"))


def explain(error: ValidationError, root: Node, model: type[BaseModel]) -> list[Fault]:
    """Say what is wrong with a value that is no document.

    Parameters
    ----------
    error : pydantic.ValidationError
        Of `root.value` validated as `model`.
    root : Node
    model : subclass of pydantic.BaseModel

    Returns
    -------
    list of (path, message)
    """
    return [(path, text) for one in _causes(error)[:MAX_FAULTS] for _, path, text in _explained(one, root, model)]


def _causes(error: ValidationError) -> list[ErrorDetails]:
    return [one for one in error.errors(include_url=False) if not _is_consequence(one)]


def _explained(one: ErrorDetails, root: Node, model: type[BaseModel]) -> Iterator[tuple[Place, Steps, str]]:
    """Yield the place, the path and the text of each fault that one of pydantic's stands for."""
    path, node, options = _trace(one["loc"], one["type"], root, model)
    match one["type"]:
        case "extra_forbidden":
            known = dict.fromkeys(name for option in options for name in option.model_fields)
            yield node.key, path, "unknown key" + hint(str(path[-1]), known, "known keys")
        case "union_tag_invalid" | "union_tag_not_found":
            tag = one["ctx"]["discriminator"].strip("'")
            steps = (*path, tag)
            yield _innermost(root, steps).place, steps, _message(one, node.children.get(tag, node))
        case "value_error" if isinstance(inner := one["ctx"]["error"], InputError):
            # Of another file, with its own lines, or of a table in this one.
            for text in inner.faults:
                yield node.place, path, text
        case "value_error" if isinstance(inner := one["ctx"]["error"], FaultsError):
            for inside, text in inner.faults:
                steps = (*path, *inside)
                yield _innermost(root, steps).place, steps, text
        case _:
            yield node.place, path, _message(one, node)


def _innermost(root: Node, path: Steps) -> Node:
    """Find the value at `path`, or the innermost one around it that is there."""
    node = root
    for step in path:
        if step not in node.children:
            break
        node = node.children[step]
    return node


def path_text(path: Steps) -> str:
    """Write a path as ``tasks[1].fps``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{_key(step)}" for step in path).removeprefix(".")


def _read_bytes(path: Path, file: str) -> bytes:
    try:
        with open_regular(path) as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{file}: no such file{hint(path.name, _siblings(path))}") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise InputError(f"{file}: cannot be read: {reason_of(error)}") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{file}: is larger than {MAX_BYTES // 1_000_000} MB")
    return data


def _siblings(path: Path) -> list[str]:
    try:
        return [one.name for one in path.parent.iterdir() if one.suffix == path.suffix]
    except OSError:
        return []


def _trace(loc: Steps, kind: str, root: Node, model: type[BaseModel]) -> tuple[Steps, Node, list[type[BaseModel]]]:
    """Follow pydantic's location of a fault.

    It holds steps that the user did not write: the tag of a union's member, the index into a list that a validator made
    of a scalar.

    Returns
    -------
    path : tuple
        The user's own steps.
    node : Node
        The innermost value that is there.
    options : list of model classes
        What that value may be, as far as it is a model.
    """
    path: list[Step] = []
    node, options = root, [model]
    for number, step in enumerate(loc):
        if len(options) > 1 and (members := [one for one in options if step in _tags(one)]):
            options = members
            continue
        fields = [one.model_fields[step] for one in options if step in one.model_fields] if isinstance(step, str) else []
        is_there = step in node.children and (isinstance(step, int) or not options)
        is_named = number == len(loc) - 1 and kind in ("missing", "extra_forbidden")
        if fields or is_there or is_named:
            path.append(step)
            node = node.children.get(step, node)
        if fields:
            options = [one for each in fields for one in _models_in(each.annotation)]
    return tuple(path), node, options


def _tags(model: type[BaseModel]) -> set[str]:
    """The values of its literal fields, one of which tells it from the other members of a union."""
    literals = [one.annotation for one in model.model_fields.values() if get_origin(one.annotation) is Literal]
    return {tag for literal in literals for tag in get_args(literal) if isinstance(tag, str)}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field's annotation names; none below a dict, whose keys are the user's."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is dict:
        return []
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


_EXPECTATIONS = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "must be one of {expected_tags}",
}


def _message(error: ErrorDetails, node: Node) -> str:
    """One of pydantic's faults in the words of this package."""
    kind, context = error["type"], error.get("ctx", {})
    match kind:
        case "missing" | "union_tag_not_found":
            return "is required"
        case "value_error" | "assertion_error":
            return str(context["error"])
        case "too_short" | "too_long":
            count = context["min_length"] if kind == "too_short" else context["max_length"]
            bound = "at least" if kind == "too_short" else "at most"
            return f"must have {bound} {count} {'entry' if count == 1 else 'entries'}, got {context['actual_length']}"
        case "string_too_short" if context["min_length"] == 1:
            return "must not be empty"
        case "float_type" if isinstance(node.value, int) and not isinstance(node.value, bool):
            kind = "finite_number"
    numbers = {key: _number(value) if isinstance(value, (int, float)) else value for key, value in context.items()}
    expectation = _EXPECTATIONS.get(kind, error["msg"].replace("Input should ", "must ")).format(**numbers)
    return f"{expectation}, got {node}{_remedy(kind, node.value, numbers)}"


def _remedy(kind: str, value: Any, context: Mapping[str, Any]) -> str:
    """What to do about a wrong value, where that can be told."""
    if kind in ("float_type", "int_type") and isinstance(value, str) and isinstance(resolve(value), (int, float)):
        return "; leave out the quotes"
    if kind == "string_type" and isinstance(value, (int, float)):
        return "; put it in quotes"
    if kind in ("literal_error", "union_tag_invalid") and isinstance(value, str):
        choices = context["expected" if kind == "literal_error" else "expected_tags"]
        return hint(value, re.findall("'([^']*)'", choices))
    return ""


def _is_consequence(error: ErrorDetails) -> bool:
    """Whether a list counts as too short only because some of its entries are faulty."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:g}"


def _key(step: str) -> str:
    return short(step if _IDENTIFIER.fullmatch(step) else repr(step))
