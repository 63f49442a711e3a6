"""The values that running tasks gave.

Each run that gave any has a row and one more for each value. What nobody may read any more loses
its id at once, and the sweep removes it piece by piece, however many values it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qtasks.adapters.sqlite.states import DONE
from qtasks.schemas import Streamed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from qtasks.adapters.sqlite.unit import Unit
    from qtasks.schemas import Chunk

__all__ = ["Reader", "append", "news", "read", "sweep"]

#: Bytes that one answer may have if it has more than one value.
_MOST_BYTES: Final = 8 * 1024 * 1024
#: Values that one sweep removes at the most: so many hold up other writers for some milliseconds.
_MOST_REMOVED: Final = 10_000

_RUNS: Final = "SELECT 1 FROM task WHERE id = ? AND token = ? AND state = 5"
_KEPT: Final = "SELECT seq, token, next, expires_at FROM stream WHERE id = ?"
_LET_GO: Final = "UPDATE stream SET id = NULL, expires_at = 0 WHERE seq = ?"
_BEGIN: Final = "INSERT INTO stream (id, token, first, next, expires_at) VALUES (?, ?, ?, ?, ?)"
_GO_ON: Final = "UPDATE stream SET next = ?, expires_at = ? WHERE seq = ?"
_ADD: Final = "INSERT INTO streamed (stream, number, value) VALUES (?, ?, ?)"

_STATE: Final = "SELECT state FROM task WHERE id = ?"
_READABLE: Final = "SELECT seq, token, first FROM stream WHERE id = ? AND expires_at > ?"
_VALUES: Final = """
    SELECT value FROM streamed WHERE stream = ? AND number >= ? ORDER BY number LIMIT ?
"""

_OVER: Final = """
    SELECT seq, first, next FROM stream WHERE expires_at <= ? ORDER BY expires_at LIMIT ?
"""
_REMOVE_VALUES: Final = "DELETE FROM streamed WHERE stream = ? AND number < ?"
_SHORTEN: Final = "UPDATE stream SET id = NULL, first = ? WHERE seq = ?"
_REMOVE: Final = "DELETE FROM stream WHERE seq = ?"


class Reader(NamedTuple):
    """What a reader asks for, see :meth:`BaseStorage.read_stream`."""

    id: str
    token: int
    after: int
    limit: int


def append(unit: Unit, chunks: Sequence[Chunk]) -> None:
    """Keeps values of running tasks; what a stale run gives is dropped."""
    for chunk in chunks:
        if unit.conn.execute(_RUNS, (chunk.id, chunk.token)).fetchone():
            _append(unit, chunk)
            unit.streamed = True


def _append(unit: Unit, chunk: Chunk) -> None:
    """Keeps those of a chunk's values that are new."""
    conn = unit.conn
    seq, token, following, until = conn.execute(_KEPT, (chunk.id,)).fetchone() or (None, 0, 0, 0.0)
    if seq is None or token < chunk.token or following < chunk.first or until <= unit.now:
        if seq is not None:
            conn.execute(_LET_GO, (seq,))
        following = chunk.first
        row = (chunk.id, chunk.token, following, following, unit.now)
        seq = conn.execute(_BEGIN, row).lastrowid
    new = chunk.values[following - chunk.first :]
    conn.executemany(_ADD, [(seq, number, value) for number, value in enumerate(new, following)])
    conn.execute(_GO_ON, (following + len(new), unit.now + chunk.ttl, seq))


def read(conn: sqlite3.Connection, now: float, reader: Reader) -> Streamed:
    """Returns the values that a reader has not seen, and whether there will be more."""
    (state,) = conn.execute(_STATE, (reader.id,)).fetchone() or (DONE,)
    ended = state == DONE
    seq, token, first = conn.execute(_READABLE, (reader.id, now)).fetchone() or (None, 0, 0)
    if seq is None or token < reader.token:
        return Streamed(reader.token, reader.after, ended=ended)
    first = max(reader.after if token == reader.token else 0, first)
    values: list[bytes] = []
    size = 0
    for (value,) in conn.execute(_VALUES, (seq, first, reader.limit)):
        size += len(value)
        if values and size > _MOST_BYTES:
            break
        values.append(value)
    return Streamed(token, first, tuple(values), ended=ended)


def news(conn: sqlite3.Connection, now: float, readers: Iterable[Reader]) -> dict[Reader, Streamed]:
    """Returns what there is for those readers that need not wait any more."""
    found = {reader: read(conn, now, reader) for reader in readers}
    return {reader: one for reader, one in found.items() if one.values or one.ended}


def sweep(unit: Unit, limit: int) -> bool:
    """Removes values whose time is over, from at most ``limit`` runs; returns whether some stay."""
    conn = unit.conn
    rows = conn.execute(_OVER, (unit.now, limit)).fetchall()
    room = _MOST_REMOVED
    for seq, first, following in rows:
        until = min(following, first + room)
        conn.execute(_REMOVE_VALUES, (seq, until))
        room -= until - first
        if until < following:
            conn.execute(_SHORTEN, (until, seq))
            return True
        conn.execute(_REMOVE, (seq,))
    return len(rows) >= limit
