"""Queues as a whole, and the workers that serve them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from qtasks.adapters.sqlite import holds
from qtasks.adapters.sqlite.states import PARKED, READY, SCHEDULED, SUSPECT
from qtasks.contracts.codec import UNREADABLE
from qtasks.schemas import Presence, QueueStats

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from qtasks.adapters.sqlite.unit import Unit

__all__ = [
    "claimable",
    "names",
    "newest",
    "next_due",
    "pause",
    "purge_some",
    "report",
    "stats",
    "suspects",
    "workers",
]

_COUNTS: Final = """
    SELECT ready, delayed, leased, finished, dead, dropped, paused FROM queue WHERE name = ?
"""
_OVERDUE: Final = """
    SELECT count(*), min(due) FROM task INDEXED BY task_scheduled
    WHERE state = 2 AND queue = ? AND due <= ?
"""
#: Records whose time is over and that the sweep has not removed yet. It does so all the time; where
#: nobody sweeps, looking at some of them is enough.
_FADED: Final = """
    SELECT count(*), total(dead) FROM (
        SELECT queue, dead FROM task INDEXED BY task_done
        WHERE state = 6 AND gc_at <= ? ORDER BY gc_at LIMIT 10000
    ) WHERE queue = ?
"""
_NEXT: Final = """
    SELECT min(due) FROM task INDEXED BY task_scheduled
    WHERE state = 2 AND queue = ? AND due > ?
"""
_OLDEST_LEASE: Final = """
    SELECT min(started_at) FROM task INDEXED BY task_leased WHERE state = 5 AND queue = ?
"""
#: The first of the next priority, and the first of those that were not given or taken back in it.
#: Stepping through them is quicker than reading all that is ready.
_HEADS: Final = (
    (
        """
        SELECT priority, turn, due FROM task INDEXED BY task_ready
        WHERE state = 0 AND queue = ? AND priority > ? ORDER BY priority, turn, due LIMIT 1
        """,
        """
        SELECT due FROM task INDEXED BY task_ready
        WHERE state = 0 AND queue = ? AND priority = ? AND turn = 1 ORDER BY due LIMIT 1
        """,
    ),
    (
        """
        SELECT priority, turn, due FROM task INDEXED BY task_suspect
        WHERE state = 1 AND queue = ? AND priority > ? ORDER BY priority, turn, due LIMIT 1
        """,
        """
        SELECT due FROM task INDEXED BY task_suspect
        WHERE state = 1 AND queue = ? AND priority = ? AND turn = 1 ORDER BY due LIMIT 1
        """,
    ),
)
_BELOW_ALL: Final = -(1 << 62)

_ANY: Final = """
    SELECT EXISTS (SELECT 1 FROM queue WHERE name = :queue AND NOT paused) AND (
        EXISTS (SELECT 1 FROM task INDEXED BY task_ready WHERE state = 0 AND queue = :queue)
        OR EXISTS (
            SELECT 1 FROM task INDEXED BY task_scheduled
            WHERE state = 2 AND queue = :queue AND due <= :now
        )
    )
"""
_SUSPECTS: Final = """
    SELECT count(*) FROM (
        SELECT 1 FROM task INDEXED BY task_suspect WHERE state = 1
            AND queue = (SELECT name FROM queue WHERE name = ? AND NOT paused)
        LIMIT 100
    )
"""
_PAUSE: Final = """
    INSERT INTO queue (name, paused) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET paused = excluded.paused
"""
_REPORT: Final = "INSERT OR REPLACE INTO presence (worker, expires_at, data) VALUES (?, ?, ?)"

_SOME: Final = "AND queue = ? AND seq <= ? LIMIT ?"
_SEQ: Final = "SELECT seq FROM task INDEXED BY"
_WAITING: Final = {
    READY: f"{_SEQ} task_ready WHERE state = 0 {_SOME}",
    SUSPECT: f"{_SEQ} task_suspect WHERE state = 1 {_SOME}",
    SCHEDULED: f"{_SEQ} task_scheduled WHERE state = 2 {_SOME}",
    PARKED: f"{_SEQ} task_parked WHERE state = 3 {_SOME}",
}

_encode = msgspec.msgpack.Encoder().encode
_decode_presence = msgspec.msgpack.Decoder(Presence).decode


def stats(conn: sqlite3.Connection, now: float, queue: str) -> QueueStats:
    """Returns how a queue stands; nothing in it counts what is ready."""
    counts = conn.execute(_COUNTS, (queue,)).fetchone()
    if counts is None:
        return QueueStats(queue)
    ready, delayed, leased, finished, dead, dropped, paused = counts
    # Due, but not brought forward before the next claim.
    overdue, oldest = conn.execute(_OVERDUE, (queue, now)).fetchone()
    faded, letters = conn.execute(_FADED, (now, queue)).fetchone()
    (upcoming,) = conn.execute(_NEXT, (queue, now)).fetchone()
    started = None
    if leased:
        (started,) = conn.execute(_OLDEST_LEASE, (queue,)).fetchone()
    if ready:
        heads = (oldest, _oldest_ready(conn, queue))
        # None if somebody has changed rows by hand, so that the count is wrong.
        oldest = min((due for due in heads if due is not None), default=None)
    return QueueStats(
        queue,
        ready=ready + overdue,
        delayed=delayed - overdue,
        leased=leased,
        dead=dead - int(letters),
        paused=bool(paused),
        oldest_ready_age=None if oldest is None else max(now - oldest, 0.0),
        oldest_lease_age=None if started is None else max(now - started, 0.0),
        next_due_in=None if upcoming is None else upcoming - now,
        finished=finished - faded,
        dropped=dropped,
    )


def _oldest_ready(conn: sqlite3.Connection, queue: str) -> float | None:
    """Returns when the ready task that waits longest became due."""
    oldest: list[float] = []
    for first, others in _HEADS:
        head = conn.execute(first, (queue, _BELOW_ALL)).fetchone()
        while head is not None:
            priority, turn, due = head
            oldest.append(due)
            if turn == 0:
                oldest += [due for (due,) in conn.execute(others, (queue, priority)).fetchall()]
            head = conn.execute(first, (queue, priority)).fetchone()
    return min(oldest, default=None)


def claimable(
    conn: sqlite3.Connection, now: float, queues: Sequence[str], ignored: int = 0
) -> bool:
    """Tells whether a claim may find something.

    Args:
        conn: the connection.
        now: seconds since the epoch.
        queues: where to look.
        ignored: how many suspects do not count; a worker that may not take them must not wake
            for them again and again.
    """
    for queue in queues:
        if conn.execute(_ANY, {"queue": queue, "now": now}).fetchone()[0]:
            return True
    return suspects(conn, now, queues) > ignored


def suspects(conn: sqlite3.Connection, _now: float, queues: Sequence[str]) -> int:
    """Returns how many suspects wait in some queues, and of each at most 100."""
    return sum(conn.execute(_SUSPECTS, (queue,)).fetchone()[0] for queue in queues)


def next_due(conn: sqlite3.Connection, now: float, queues: Sequence[str]) -> float | None:
    """Returns when the next delayed task of some queues may run, or None."""
    times = [conn.execute(_NEXT, (queue, now)).fetchone()[0] for queue in queues]
    return min((due for due in times if due is not None), default=None)


def names(conn: sqlite3.Connection, _now: float) -> list[str]:
    """Returns the names of all queues that were ever published to."""
    query = "SELECT name FROM queue WHERE published ORDER BY name"
    return [name for (name,) in conn.execute(query).fetchall()]


def pause(unit: Unit, queue: str, *, paused: bool) -> None:
    """Stops or allows claims from a queue."""
    unit.conn.execute(_PAUSE, (queue, paused))
    unit.ready = True


def newest(conn: sqlite3.Connection, _now: float) -> int:
    """Returns the number of the row that was added last."""
    (seq,) = conn.execute("SELECT max(seq) FROM task").fetchone()
    return seq or 0


def purge_some(unit: Unit, queue: str, newest: int, limit: int) -> int:
    """Removes at most ``limit`` waiting tasks of a queue, none newer than row ``newest``."""
    removed = 0
    for state, query in _WAITING.items():
        rows = unit.conn.execute(query, (queue, newest, limit - removed)).fetchall()
        holds.free(unit, rows)
        unit.conn.executemany("DELETE FROM task WHERE seq = ?", rows)
        unit.moved(queue, state, None, len(rows))
        removed += len(rows)
    unit.ended = removed > 0
    return removed


def report(unit: Unit, presence: Presence, ttl: float) -> None:
    """Notes that a worker is alive, or gone."""
    if ttl <= 0:
        unit.conn.execute("DELETE FROM presence WHERE worker = ?", (presence.worker,))
    else:
        unit.conn.execute(_REPORT, (presence.worker, unit.now + ttl, _encode(presence)))


def workers(conn: sqlite3.Connection, now: float) -> list[Presence]:
    """Returns the workers whose time has not run out, by name, if their report can be read."""
    query = "SELECT data FROM presence WHERE expires_at > ? ORDER BY worker"
    rows = conn.execute(query, (now,)).fetchall()
    return [presence for (data,) in rows if (presence := _presence(data)) is not None]


def _presence(data: bytes) -> Presence | None:
    try:
        return _decode_presence(data)
    except UNREADABLE:
        return None
