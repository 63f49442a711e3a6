"""Selecting many rows by key with few, reusable statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

__all__ = ["select_in"]

#: Below the 999 variables that SQLite before 3.32 allows.
_MOST: Final = 512


def select_in(conn: sqlite3.Connection, query: str, keys: Sequence[object]) -> list[Any]:
    """Returns the rows of a query that ends in ``IN``, for all keys.

    The list of keys is filled up to a power of two with its last key, so that ten statements do
    for every number of keys and stay in the connection's cache.
    """
    rows: list[Any] = []
    for start in range(0, len(keys), _MOST):
        part = list(keys[start : start + _MOST])
        size = 1 << (len(part) - 1).bit_length()
        part += part[-1:] * (size - len(part))
        marks = ",".join("?" * size)
        rows += conn.execute(f"{query} ({marks})", part).fetchall()
    return rows
