"""Shared state: buckets of keys, and counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from qtasks.adapters.sqlite.unit import Unit

__all__ = ["add_to_counter", "clear_bucket", "read_bucket", "update_bucket"]

_READ: Final = """
    SELECT key, value FROM state WHERE bucket = :bucket
        AND NOT EXISTS (SELECT 1 FROM bucket WHERE name = :bucket AND expires_at <= :now)
    ORDER BY seq
"""
_IS_OVER: Final = "SELECT 1 FROM bucket WHERE name = ? AND expires_at <= ?"
_SET: Final = """
    INSERT INTO state (bucket, key, value) VALUES (?, ?, ?)
    ON CONFLICT (bucket, key) DO UPDATE SET value = excluded.value
"""
_UNSET: Final = "DELETE FROM state WHERE bucket = ? AND key = ?"
_KEEP: Final = "INSERT OR REPLACE INTO bucket (name, expires_at) VALUES (?, ?)"
_CLEAR: Final = ("DELETE FROM state WHERE bucket = ?", "DELETE FROM bucket WHERE name = ?")

_COUNTER: Final = "SELECT value, expires_at FROM counter WHERE key = ?"
_COUNT: Final = "INSERT OR REPLACE INTO counter (key, value, expires_at) VALUES (?, ?, ?)"


def read_bucket(conn: sqlite3.Connection, now: float, bucket: str) -> dict[str, bytes]:
    """Returns the keys of a bucket, in the order they were first set."""
    return dict(conn.execute(_READ, {"bucket": bucket, "now": now}).fetchall())


def update_bucket(
    unit: Unit, bucket: str, changes: Mapping[str, bytes | None], ttl: float | None
) -> dict[str, bytes]:
    """Sets and deletes keys; returns the whole bucket."""
    conn = unit.conn
    if conn.execute(_IS_OVER, (bucket, unit.now)).fetchone():
        clear_bucket(unit, bucket)
    for key, value in changes.items():
        if value is None:
            conn.execute(_UNSET, (bucket, key))
        else:
            conn.execute(_SET, (bucket, key, value))
    if ttl is not None:
        conn.execute(_KEEP, (bucket, unit.now + ttl))
    kept = read_bucket(conn, unit.now, bucket)
    if not kept:
        # Without keys there is no bucket, and nothing whose time could run out.
        clear_bucket(unit, bucket)
    return kept


def clear_bucket(unit: Unit, bucket: str) -> None:
    """Removes a bucket."""
    for statement in _CLEAR:
        unit.conn.execute(statement, (bucket,))


def add_to_counter(unit: Unit, key: str, amount: int, ttl: float | None) -> int:
    """Adds to a counter and returns its new value; reading one does not make it."""
    value, expires_at = unit.conn.execute(_COUNTER, (key,)).fetchone() or (None, None)
    if value is None or (expires_at is not None and expires_at <= unit.now):
        value, expires_at = 0, None if ttl is None else unit.now + ttl
    if amount:
        unit.conn.execute(_COUNT, (key, value + amount, expires_at))
    return int(value + amount)
