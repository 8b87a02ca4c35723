"""Messages of Protocol Buffers, many of one kind at a time: NumPy writes a million in a second, the official library some 100,000.

Each piece is a `Column`: matrices of bytes with a row for each message, and which of them count. What a column holds is written
in the shortest form, so it is what other writers give; the tests read it back with the official library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Column", "double", "fixed64", "in_turn", "joined", "message", "number", "strings"]

VARINT, I64, LEN = 0, 1, 2
"""Wire types."""


@dataclass(frozen=True)
class Column:
    """The same part of many messages.

    Attributes
    ----------
    parts : tuple of (ndarray of uint8, ndarray of bool), each of shape (n, width)
        Bytes that stand beside each other, and which of them a message has. They are put together once, at the end.
    length : ndarray of int64, shape (n,)
        How many bytes each message has.
    """

    parts: tuple[tuple[np.ndarray, np.ndarray], ...]
    length: np.ndarray

    @classmethod
    def of(cls, data: np.ndarray, used: np.ndarray) -> Column:
        """One part."""
        return cls(((data, used),), used.sum(axis=1))

    def where(self, chosen: np.ndarray) -> Column:
        """Only the chosen messages have it: bool, shape (n,)."""
        column = chosen[:, None]
        return Column(tuple((data, used & column) for data, used in self.parts), self.length * chosen)

    @property
    def width(self) -> int:
        """The most bytes that a message may have."""
        return sum(data.shape[1] for data, _ in self.parts)


def in_turn(*kinds: Column) -> bytes:
    """Messages as bytes: the first of each kind, then the second ones, and so on."""
    n, width = len(kinds[0].length), max(one.width for one in kinds)
    all_data, all_used = np.empty((n, len(kinds), width), dtype=np.uint8), np.zeros((n, len(kinds), width), dtype=bool)
    for i, one in enumerate(kinds):
        place = 0
        for data, used in one.parts:
            end = place + data.shape[1]
            all_data[:, i, place:end] = data
            all_used[:, i, place:end] = used
            place = end
    return bytes(all_data[all_used])


def joined(*columns: Column) -> Column:
    """Columns beside each other."""
    return Column(tuple(part for one in columns for part in one.parts), sum((one.length for one in columns[1:]), columns[0].length))


def _varint(values: np.ndarray) -> Column:
    values = values.astype(np.int64, copy=False).view(np.uint64)
    width = max(1, -(-int(values.max(initial=0)).bit_length() // 7))
    if width == 1:
        return Column(((values.astype(np.uint8)[:, None], np.ones((len(values), 1), dtype=bool)),), np.ones(len(values), dtype=np.int64))
    shifted = values[:, None] >> (np.uint64(7) * np.arange(width, dtype=np.uint64))
    used = shifted > 0
    used[:, 0] = True
    data = (shifted & np.uint64(127)).astype(np.uint8)
    data[:, :-1] |= used[:, 1:].astype(np.uint8) << 7
    return Column.of(data, used)


def _tag(field: int, wire: int, n: int) -> Column:
    ((data, used),) = _varint(np.array([field << 3 | wire])).parts
    width = data.shape[1]
    return Column(((np.broadcast_to(data, (n, width)), np.broadcast_to(used, (n, width))),), np.full(n, width))


def number(field: int, values: np.ndarray) -> Column:
    """An integer field of any sign: int64 or uint64, shape (n,)."""
    return joined(_tag(field, VARINT, len(values)), _varint(values))


def fixed64(field: int, values: np.ndarray) -> Column:
    """A field of eight bytes: int64, uint64 or float64, shape (n,)."""
    data = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"))).view(np.uint8).reshape(len(values), 8)
    return joined(_tag(field, I64, len(values)), Column.of(data, np.ones(data.shape, dtype=bool)))


def double(field: int, values: np.ndarray) -> Column:
    """A floating-point field: float64, shape (n,)."""
    return fixed64(field, values.astype(np.float64))


def message(field: int, content: Column) -> Column:
    """A field that holds a message."""
    return joined(_tag(field, LEN, len(content.length)), _varint(content.length), content)


def strings(field: int, texts: Sequence[str]) -> Column:
    """A field of text; names of files that are no UTF-8 are told with backslashes."""
    encoded = [one.encode("utf-8", "backslashreplace") for one in texts]
    length = np.array([len(one) for one in encoded], dtype=np.int64)
    used = np.arange(length.max(initial=0)) < length[:, None]
    data = np.zeros(used.shape, dtype=np.uint8)
    data[used] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    return message(field, Column.of(data, used))
