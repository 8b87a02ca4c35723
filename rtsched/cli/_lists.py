"""Options that take several values: names, numbers and seeds."""

from __future__ import annotations

from collections.abc import Sequence

from rtsched.errors import InputError, short

__all__ = ["names_of", "numbers_of", "seeds_of", "whole_numbers_of"]

MAX_VALUES = 10_000
"""Of an option; a grid has far fewer."""


def names_of(texts: Sequence[str]) -> list[str]:
    """Names with commas between them, of an option that may be repeated."""
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


def numbers_of(option: str, text: str | None) -> list[float] | None:
    """Read numbers with commas between them; None where the option was not given.

    Raises
    ------
    InputError
    """
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{option}: must be numbers, as 22.5,45,90; got {short(repr(text))}") from None


def whole_numbers_of(option: str, text: str | None) -> list[int] | None:
    """Read whole numbers and ranges of them with commas between them; None where the option was not given.

    Raises
    ------
    InputError
    """
    if text is None:
        return None
    found: list[int] = []
    for part in map(str.strip, text.split(",")):
        first, dash, last = part.partition("-")
        if not _is_number(first) or (dash and not _is_number(last)):
            raise InputError(f"{option}: must be whole numbers, as 1-3 or 256,512,1024; got {short(repr(text))}")
        values = range(int(first), int(last if dash else first) + 1)
        if not values:
            raise InputError(f"{option}: {short(part)} holds no number; the smaller one comes first")
        if len(values) > MAX_VALUES - len(found):
            raise InputError(f"{option}: must be at most {MAX_VALUES:,} numbers, got {short(repr(text))}")
        found += values
    return found


def seeds_of(text: str, option: str = "--seeds") -> int | Sequence[int]:
    """Read a number of seeds, or ranges and single seeds with commas between them.

    Raises
    ------
    InputError
    """
    from rtsched.study.plan import MAX_SEEDS

    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1 and _is_number(parts[0].removeprefix("-")):
        return int(parts[0])
    found: list[int] = []
    for part in parts:
        first, dash, last = part.partition("-")
        if not _is_number(first) or (dash and not _is_number(last)):
            raise InputError(f"{option}: must be a number of seeds, or seeds as 5-24 or 1,2,9; got {short(repr(text))}")
        seeds = range(int(first), int(last if dash else first) + 1)
        if not seeds:
            raise InputError(f"{option}: {short(part)} holds no seed; the smaller one comes first")
        if seeds.stop - seeds.start > MAX_SEEDS - len(found):
            raise InputError(f"{option}: must be 1 to {MAX_SEEDS} of them, got {short(repr(text))}")
        found += seeds
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 20
