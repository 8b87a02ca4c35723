"""MAESTRO's language for networks: text into networks and layers whose numbers know where they stand.

References
----------
The grammar is that of github.com/XRBench/XRBench-MLSys2023 at db094a5f: ``ModelParser`` in
``lib/include/dataflow-specification-language/DFSL_parser.hpp``. Tokens end at blanks and at ``, - > ( ) : ;``; ``//`` begins a
comment. ``Dataflow { ... }``, which MAESTRO's own files have in their layers, is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NoReturn

from rtsched._csv import capped, number, read_text, shown
from rtsched.errors import InputError
from rtsched.workload.layer import MAX_DIMENSION

__all__ = ["LayerText", "NetworkText", "Token", "read_networks"]

MAX_FPS = 1e9
DIMENSIONS = ("N", "K", "C", "Y", "X", "R", "S", "G")
_WORD = re.compile(r"[{}]|[^\s,\->():;{}]+")


@dataclass(frozen=True)
class Token:
    """A word and where it stands, as ``file:line:column``."""

    text: str
    place: str
    is_negative: bool = False

    def __str__(self) -> str:
        return f"-{self.text}" if self.is_negative else self.text


@dataclass
class LayerText:
    """A layer as it is written.

    Attributes
    ----------
    name : Token
    type : Token, optional
    stride, dimensions : dict of str to int
        As far as they are given and numbers.
    is_whole : bool
        Whether all that is written could be read.
    """

    name: Token
    type: Token | None = None
    stride: dict[str, int] = field(default_factory=dict)
    dimensions: dict[str, int] = field(default_factory=dict)
    is_whole: bool = True


@dataclass
class NetworkText:
    """A network as it is written.

    Attributes
    ----------
    name : Token
    has_fps : bool
        Whether it is given, if only a wrong one.
    fps, probability : (Token, float), optional
        Where it stands, and the number.
    parents : list of Token
    layers : list of LayerText
    """

    name: Token
    has_fps: bool = False
    fps: tuple[Token, float] | None = None
    probability: tuple[Token, float] | None = None
    parents: list[Token] = field(default_factory=list)
    layers: list[LayerText] = field(default_factory=list)


def read_networks(file: str, faults: list[str]) -> list[NetworkText]:
    """Read the networks of a file.

    Parameters
    ----------
    file : str
    faults : list of str
        Faults that do not keep the rest from being read are appended here, as ``file:line:column: message``.

    Raises
    ------
    rtsched.errors.InputError
        The file cannot be read, or what follows cannot be understood; the faults before that included.
    """
    parser = _Parser(file, faults)
    try:
        return list(parser.networks())
    except InputError as error:
        raise InputError(capped([*faults, *error.faults], file)) from error


def _tokens(file: str, text: str) -> Iterator[Token]:
    for line_number, line in enumerate(text.split("\n"), start=1):
        code = line.partition("//")[0]
        for found in _WORD.finditer(code):
            start = found.start()
            yield Token(found[0], f"{file}:{line_number}:{start + 1}", start > 0 and code[start - 1] == "-")


class _Parser:
    """Goes through the tokens of a file, one rule per method."""

    def __init__(self, file: str, faults: list[str]) -> None:
        text = read_text(file)
        self._tokens = list(_tokens(file, text))
        self._end = Token("", f"{file}:{text.count(chr(10)) + 1}:{len(text) - text.rfind(chr(10))}")
        self._next = 0
        self._faults = faults

    def networks(self) -> Iterator[NetworkText]:
        while self._next < len(self._tokens):
            self._expect("Network")
            yield self._network()

    def _network(self) -> NetworkText:
        network = NetworkText(self._name("network"))
        seen: set[str] = set()
        while (word := self._take("FPS, Probability, Dependency, Layer or }")).text != "}":
            if word.text != "Layer":
                self._once(word, seen, f"network {shown(str(network.name))}")
            match word.text:
                case "FPS":
                    network.has_fps = True
                    network.fps = self._number("must be a number greater than 0 and at most 1e9", lambda fps: 0 < fps <= MAX_FPS)
                case "Probability":
                    network.probability = self._number("must be a number from 0 to 1", lambda one: 0 <= one <= 1)
                case "Dependency":
                    network.parents = self._block()
                case "Layer":
                    network.layers.append(self._layer())
                case _:
                    self._refuse(word, "FPS, Probability, Dependency, Layer or }")
        return network

    def _layer(self) -> LayerText:
        layer = LayerText(self._name("layer"))
        seen: set[str] = set()
        while (word := self._take("Type, Stride, Dimensions, Dataflow or }")).text != "}":
            self._once(word, seen, f"layer {shown(str(layer.name))}")
            before = len(self._faults)
            match word.text:
                case "Type":
                    layer.type = self._take("a type")
                case "Stride":
                    layer.stride = self._sizes(("X", "Y"))
                case "Dimensions":
                    layer.dimensions = self._sizes(DIMENSIONS)
                case "Dataflow":
                    self._block()
                case _:
                    self._refuse(word, "Type, Stride, Dimensions, Dataflow or }")
            layer.is_whole = layer.is_whole and len(self._faults) == before
        return layer

    def _sizes(self, known: tuple[str, ...]) -> dict[str, int]:
        """``{ X: 2 Y: 2 }``."""
        sizes: dict[str, int] = {}
        words = self._block()
        for key, value in zip_longest(words[::2], words[1::2]):
            if key.text not in known:
                self._faults.append(f"{key.place}: must be one of {', '.join(known)}, got {shown(str(key))}")
            elif key.text in sizes:
                self._faults.append(f"{key.place}: {key.text} stands twice")
            elif value is None or not _is_size(value):
                at, got = (key, "nothing") if value is None else (value, shown(str(value)))
                self._faults.append(f"{at.place}: {key.text} must be a whole number from 1 to 2^31 - 1, got {got}")
            else:
                sizes[key.text] = int(value.text)
        return sizes

    def _number(self, expected: str, is_valid: Callable[[float], bool]) -> tuple[Token, float] | None:
        word = self._take("a number")
        try:
            value = number(str(word))
            if is_valid(value):
                return word, value
        except ValueError:
            pass
        self._faults.append(f"{word.place}: {expected}, got {shown(str(word))}")
        return None

    def _name(self, what: str) -> Token:
        """A name and the brace behind it."""
        name = self._take(f"the name of a {what}")
        if name.text in "{}":
            raise InputError(f"{name.place}: must be the name of a {what}, got {name}")
        self._expect("{")
        return name

    def _block(self) -> list[Token]:
        """The words between two braces."""
        self._expect("{")
        words = []
        while (word := self._take("}")).text != "}":
            if word.text == "{":
                self._refuse(word, "}")
            words.append(word)
        return words

    def _once(self, word: Token, seen: set[str], where: str) -> None:
        if word.text in seen:
            self._faults.append(f"{word.place}: {shown(word.text)} stands twice in {where}")
        seen.add(word.text)

    def _expect(self, text: str) -> None:
        word = self._take(text)
        if word.text != text:
            self._refuse(word, text)

    def _take(self, expected: str) -> Token:
        """The next word."""
        if self._next == len(self._tokens):
            raise InputError(f"{self._end.place}: must go on with {expected}, but the file ends")
        self._next += 1
        return self._tokens[self._next - 1]

    def _refuse(self, word: Token, expected: str) -> NoReturn:
        raise InputError(f"{word.place}: must be {expected}, got {shown(str(word))}")


def _is_size(word: Token) -> bool:
    digits = word.text
    return digits.isascii() and digits.isdecimal() and not word.is_negative and len(digits) <= 10 and 1 <= int(digits) <= MAX_DIMENSION
