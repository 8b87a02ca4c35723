"""Messages of Protocol Buffers, many of one kind at a time: NumPy writes a million in a second, the official library some 100,000.

Each piece is a `Column`: a matrix of bytes with a row for each message, and which of them count. What a column holds is written
in the shortest form, so it is what other writers give; the tests read it back with the official library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Column", "double", "fixed64", "joined", "message", "number", "strings"]

VARINT, I64, LEN = 0, 1, 2
"""Wire types."""


@dataclass(frozen=True)
class Column:
    """The same part of many messages.

    Attributes
    ----------
    data : ndarray of uint8, shape (n, width)
    used : ndarray of bool, shape (n, width)
        A message has these of its bytes, in order.
    """

    data: np.ndarray
    used: np.ndarray

    def where(self, chosen: np.ndarray) -> Column:
        """Only the chosen messages have it: bool, shape (n,)."""
        return Column(self.data, self.used & chosen[:, None])

    def to_bytes(self) -> bytes:
        """The messages, one behind the other."""
        return bytes(self.data[self.used])


def joined(*parts: Column) -> Column:
    """Parts beside each other."""
    return Column(np.concatenate([one.data for one in parts], axis=1), np.concatenate([one.used for one in parts], axis=1))


def _varint(values: np.ndarray) -> Column:
    values = values.astype(np.int64, copy=False).view(np.uint64)
    width = max(1, -(-int(values.max(initial=0)).bit_length() // 7))
    shifted = values[:, None] >> (np.uint64(7) * np.arange(width, dtype=np.uint64))
    used = shifted > 0
    used[:, 0] = True
    goes_on = np.concatenate([used[:, 1:], np.zeros((len(values), 1), dtype=bool)], axis=1)
    return Column((shifted & np.uint64(127)).astype(np.uint8) | (goes_on.astype(np.uint8) << 7), used)


def _tag(field: int, wire: int, n: int) -> Column:
    one = _varint(np.array([field << 3 | wire]))
    return Column(np.broadcast_to(one.data, (n, one.data.shape[1])), np.broadcast_to(one.used, (n, one.used.shape[1])))


def number(field: int, values: np.ndarray) -> Column:
    """An integer field of any sign: int64 or uint64, shape (n,)."""
    return joined(_tag(field, VARINT, len(values)), _varint(values))


def fixed64(field: int, values: np.ndarray) -> Column:
    """A field of eight bytes: int64, uint64 or float64, shape (n,)."""
    data = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"))).view(np.uint8).reshape(len(values), 8)
    return joined(_tag(field, I64, len(values)), Column(data, np.ones(data.shape, dtype=bool)))


def double(field: int, values: np.ndarray) -> Column:
    """A floating-point field: float64, shape (n,)."""
    return fixed64(field, values.astype(np.float64))


def message(field: int, content: Column) -> Column:
    """A field that holds a message."""
    length = _varint(content.used.sum(axis=1))
    return joined(_tag(field, LEN, len(length.data)), length, content)


def strings(field: int, texts: Sequence[str]) -> Column:
    """A field of text; names of files that are no UTF-8 are told with backslashes."""
    encoded = [one.encode("utf-8", "backslashreplace") for one in texts]
    length = np.array([len(one) for one in encoded], dtype=np.int64)
    used = np.arange(length.max(initial=0)) < length[:, None]
    data = np.zeros(used.shape, dtype=np.uint8)
    data[used] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    return message(field, Column(data, used))
