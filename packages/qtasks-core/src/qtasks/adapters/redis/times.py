"""Seconds here, whole microseconds on the server."""

from __future__ import annotations

from typing import Final

__all__ = ["LONGEST", "micros", "seconds", "whole"]

#: More than a century: sums with it still fit into the whole numbers that a double can hold.
LONGEST: Final = 4_000_000_000_000_000


def micros(value: float) -> int:
    """Returns seconds as whole microseconds, 0 at least."""
    return int(min(max(value * 1_000_000, 0), LONGEST))


def whole(value: bytes | int | None) -> int:
    """Returns a number that the server keeps; 0 if there is none, or somebody damaged it."""
    try:
        return int(value or 0)
    except ValueError:
        return 0


def seconds(value: bytes | int) -> float:
    """Returns microseconds as seconds."""
    return whole(value) / 1_000_000
