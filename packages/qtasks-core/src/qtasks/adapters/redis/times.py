"""Seconds here, whole microseconds on the server."""

from __future__ import annotations

from typing import Final

__all__ = ["LONGEST", "micros", "seconds"]

#: More than a century: sums with it still fit into the whole numbers that a double can hold.
LONGEST: Final = 4_000_000_000_000_000


def micros(value: float) -> int:
    """Returns seconds as whole microseconds, 0 at least."""
    return int(min(max(value * 1_000_000, 0), LONGEST))


def seconds(value: bytes | int) -> float:
    """Returns microseconds as seconds."""
    return int(value) / 1_000_000
