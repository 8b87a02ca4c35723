"""YAML 1.2 read into a tree whose values know their line and column.

Only the core schema: ``yes`` is text, ``0o17`` is a number, and there are no tags. Files may be hostile: size, depth and
what aliases would expand to are bounded, and aliases are never expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn

from rtsched.errors import InputError, short

if TYPE_CHECKING:
    from ruamel.yaml.error import MarkedYAMLError, StringMark
    from ruamel.yaml.events import NodeEvent, ScalarEvent

__all__ = ["MAX_DEPTH", "MAX_NODES", "Node", "Place", "Step", "compose", "resolve"]

MAX_DEPTH = 100
MAX_NODES = 1_000_000
"""Values in a document, counted as if every alias were written out; long text counts as several."""
CHARACTERS_PER_NODE = 100
MAX_DIGITS = 400

Step = str | int
Place = tuple[int, int]

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_BEYOND_UNICODE = re.compile(r"\\U(?!000|0010)[0-9a-fA-F]{8}")
_VERSION = re.compile(r"^%YAML +[^\s#]*", re.MULTILINE)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class Node:
    """A value and where it stands.

    Attributes
    ----------
    place : (int, int)
        Line and column, from 0.
    value : object
        dict, tuple, str, int, float, bool or None.
    text : str
        A scalar as it was written, quotes apart.
    size : int
        Values in it, aliases written out.
    height : int
        Levels in it, aliases written out.
    children : dict
        By key or index.
    key : (int, int)
        Line and column of its own key, in a mapping.
    """

    place: Place
    value: Any = None
    text: str = ""
    size: int = 1
    height: int = 1
    children: dict[Step, Node] = field(default_factory=dict)
    key: Place = (0, 0)

    def __str__(self) -> str:
        """The value as a message shows it: numbers as they were written."""
        match self.value:
            case dict():
                return "a mapping"
            case tuple():
                return "a list"
            case str():
                return short(repr(self.value))
        return short(self.text) or "nothing"


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar in the core schema of YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > MAX_DIGITS:
            return float("inf")
        return int(text, 0) if text[1:2] in ("o", "x") else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def compose(data: bytes, file: str) -> Node:
    """Read the only document of a file.

    Parameters
    ----------
    data : bytes
        UTF-8.
    file : str
        What messages call it.

    Raises
    ------
    rtsched.errors.InputError
        When it is not one YAML document within the limits.
    """
    return _Composer(data, file).document()


class _Composer:
    """Builds the tree from the parser's events.

    The events come one by one, so that a limit stops the parser where it is exceeded.
    """

    def __init__(self, data: bytes, file: str) -> None:
        self._file = file
        self._events = self._parse(self._decode(data))
        # None while the anchor's own value is being read.
        self._anchors: dict[str, Node | None] = {}

    def document(self) -> Node:
        """Read the only document."""
        from ruamel.yaml.events import DocumentStartEvent

        next(self._events)  # the start of the stream
        start = next(self._events)
        if not isinstance(start, DocumentStartEvent):
            self._fail((0, 0), "the document is empty")
        if start.version not in (None, (1, 2)):
            self._fail((0, 0), f"must be YAML 1.2, got %YAML {'.'.join(map(str, start.version))}")
        root = self._node(next(self._events), 1)
        next(self._events)  # the end of the document
        extra = next(self._events)
        if isinstance(extra, DocumentStartEvent):
            self._fail(_place(extra.start_mark), "a second document begins here; write one per file")
        return root

    def _fail(self, place: Place, message: str) -> NoReturn:
        raise InputError(f"{self._file}:{place[0] + 1}:{place[1] + 1}: {message}") from None

    def _decode(self, data: bytes) -> str:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            text = error.object  # without the byte order mark
            place = _end_of(text[: error.start].decode())
            self._fail(place, f"must be UTF-8 text, got the byte 0x{text[error.start]:02x}")

    def _parse(self, text: str) -> Iterator[Any]:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError
        from ruamel.yaml.reader import ReaderError

        try:
            yield from YAML(typ="safe", pure=True).parse(text)
        except ReaderError as error:
            self._fail(_end_of(text[: error.position]), f"must be text, got the character 0x{error.character:02x}")
        except MarkedYAMLError as error:
            self._fail(*_in_plain_words(error))
        except AssertionError:  # the parser's, of a version that it does not know
            line = _VERSION.search(text)
            place, version = (_end_of(text[: line.start()]), short(line[0])) if line else ((0, 0), "another")
            self._fail(place, f"must be YAML 1.2, got {version}")
        except (ValueError, OverflowError):  # the parser's chr() or, in a %YAML directive, its int()
            escape = _BEYOND_UNICODE.search(text)
            self._fail(_end_of(text[: escape.start()]) if escape else (0, 0), "not valid YAML: a number is out of range")

    def _node(self, event: Any, depth: int) -> Node:
        from ruamel.yaml.events import AliasEvent, MappingStartEvent, ScalarEvent

        place = _place(event.start_mark)
        if depth > MAX_DEPTH:
            self._fail(place, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, AliasEvent):
            return self._alias(event, place, depth)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._fail(place, f"tags are not supported, got {short(tag)}")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, ScalarEvent):
            node = self._scalar(event, place)
        elif isinstance(event, MappingStartEvent):
            node = self._mapping(place, depth)
        else:
            node = self._sequence(place, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: NodeEvent, place: Place, depth: int) -> Node:
        """The anchor's node, at the place of the alias."""
        if event.anchor not in self._anchors:
            self._fail(place, f"undefined alias *{short(event.anchor)}")
        node = self._anchors[event.anchor]
        if node is None:
            self._fail(place, f"alias *{short(event.anchor)} stands inside the value that it names")
        if depth + node.height - 1 > MAX_DEPTH:
            self._fail(place, f"nested deeper than {MAX_DEPTH} levels when aliases are written out")
        return replace(node, place=place)

    def _scalar(self, event: ScalarEvent, place: Place) -> Node:
        text = event.value
        if _SURROGATE.search(text):
            self._fail(place, "must be text, got half of a surrogate pair")
        value = resolve(text) if event.implicit[0] else text
        return Node(place, value, text, size=1 + len(text) // CHARACTERS_PER_NODE)

    def _sequence(self, place: Place, depth: int) -> Node:
        from ruamel.yaml.events import SequenceEndEvent

        node = Node(place)
        while not isinstance(event := next(self._events), SequenceEndEvent):
            self._add(node, len(node.children), self._node(event, depth + 1))
        node.value = tuple(child.value for child in node.children.values())
        return node

    def _mapping(self, place: Place, depth: int) -> Node:
        from ruamel.yaml.events import MappingEndEvent, ScalarEvent

        node = Node(place)
        while not isinstance(event := next(self._events), MappingEndEvent):
            key_place = _place(event.start_mark)
            if not isinstance(event, ScalarEvent):
                self._fail(key_place, "a key must be text")
            key = self._node(event, depth + 1).text
            if key == "<<" and event.implicit[0]:
                self._fail(key_place, "merge keys (<<) are not YAML 1.2; write the keys out")
            if key in node.children:
                self._fail(key_place, f"duplicate key {short(repr(key))}, first in line {node.children[key].key[0] + 1}")
            child = self._node(next(self._events), depth + 1)
            child.key = key_place
            if child.value is None and not child.text:
                child.place = key_place  # the parser puts what is not written at the next token
            node.size += len(key) // CHARACTERS_PER_NODE
            self._add(node, key, child)
        node.value = {key: child.value for key, child in node.children.items()}
        return node

    def _add(self, node: Node, step: Step, child: Node) -> None:
        node.children[step] = child
        node.size += child.size
        node.height = max(node.height, child.height + 1)
        if node.size > MAX_NODES:
            self._fail(child.place, f"more than {MAX_NODES} values when aliases are written out")


def _place(mark: StringMark) -> Place:
    return mark.line, mark.column


def _end_of(text: str) -> Place:
    """Line and column behind `text`."""
    return text.count("\n"), len(text) - text.rfind("\n") - 1


def _in_plain_words(error: MarkedYAMLError) -> tuple[Place, str]:
    """Place and message of a syntax error."""
    problem = str(error.problem or error.context).replace("'<stream end>'", "the end of the file")
    if "'\\t'" in problem:
        problem = "a tab cannot indent or begin a value; use spaces"
    elif error.context and error.context_mark:
        problem += f" ({error.context} that begins in line {error.context_mark.line + 1})"
    return _place(error.problem_mark or error.context_mark), f"not valid YAML: {problem}"
