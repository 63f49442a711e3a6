"""Taking back what was lost, cancelling what came too late, and dropping what is old."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtasks.adapters.sqlite import ending, holds, streams
from qtasks.adapters.sqlite.states import DONE, LEASED, OUTBOX, SUSPECT
from qtasks.schemas import MAX_LOST, Retention, Swept

if TYPE_CHECKING:
    from qtasks.adapters.sqlite.unit import Unit

__all__ = ["expire", "sweep"]

_LOST_COLUMNS: Final = "SELECT seq, id, queue, lost, cancel, away, worker FROM task"
_OVERDUE: Final = f"""
    {_LOST_COLUMNS} INDEXED BY task_leased
    WHERE state = 5 AND lease_until <= ? ORDER BY lease_until LIMIT ?
"""
_NEXT_END: Final = "SELECT min(lease_until) FROM task INDEXED BY task_leased WHERE state = 5"
_HELD: Final = f"{_LOST_COLUMNS} INDEXED BY task_leased WHERE state = 5 AND worker = ?"
_EXPIRED: Final = """
    SELECT seq, id, queue, state FROM task INDEXED BY task_expiring
    WHERE state <= 4 AND expires_at <= ? ORDER BY expires_at LIMIT ?
"""
_OLD: Final = """
    SELECT seq, queue, dead FROM task INDEXED BY task_done
    WHERE state = 6 AND gc_at <= ? ORDER BY gc_at LIMIT ?
"""
_CROWDED: Final = "SELECT name, dead FROM queue WHERE dead > ?"
_OLDEST_LETTERS: Final = """
    SELECT seq FROM task INDEXED BY task_dead
    WHERE dead = 1 AND queue = ? ORDER BY finished_at LIMIT ?
"""
_BACK: Final = """
    UPDATE task SET state = ?, turn = 0, token = ?, lost = lost + 1,
        lease_until = CASE WHEN away THEN due END
    WHERE seq = ?
"""
_REMOVE: Final = "DELETE FROM task WHERE seq = ?"
_OLD_KEYS: Final = (
    "DELETE FROM counter WHERE expires_at <= ?",
    "DELETE FROM presence WHERE expires_at <= ?",
    "DELETE FROM state WHERE bucket IN (SELECT name FROM bucket WHERE expires_at <= ?)",
    "DELETE FROM bucket WHERE expires_at <= ?",
)


def sweep(unit: Unit, limit: int, retention: Retention) -> Swept:
    """Does one round of housekeeping, each kind at most ``limit`` times."""
    overdue = unit.conn.execute(_OVERDUE, (unit.now, limit)).fetchall()
    waiting, convicted = _take_back(unit, overdue, retention)
    expired = _cancel_expired(unit, limit, retention)
    purged = _purge(unit, limit)
    purged += _drop_letters(unit, limit - purged, retention.dead_limit)
    for statement in _OLD_KEYS:
        unit.conn.execute(statement, (unit.now,))
    holds.sweep(unit)
    more = streams.sweep(unit, limit)
    (first,) = unit.conn.execute(_NEXT_END).fetchone()
    return Swept(
        taken_back=tuple(waiting),
        convicted=tuple(convicted),
        expired=tuple(expired),
        purged=purged,
        more=more or limit <= max(len(overdue), len(expired), purged),
        next_lease_end=None if first is None else first - unit.now,
    )


def expire(unit: Unit, worker: str, retention: Retention) -> int:
    """Takes back what a worker holds; returns how much that was."""
    rows = unit.conn.execute(_HELD, (worker,)).fetchall()
    _take_back(unit, rows, retention)
    return len(rows)


def _take_back(unit: Unit, rows: list[Any], retention: Retention) -> tuple[list[str], list[str]]:
    """Ends leases without an outcome; returns the ids that wait again and the convicted ones.

    A task that somebody asked to cancel is cancelled, as its worker would have done.
    """
    back: list[tuple[int, int, int]] = []
    waiting: list[str] = []
    convicted: list[str] = []
    for seq, id_, queue, lost, cancel, away, worker in rows:
        if cancel is not None:
            ending.cancel(unit, seq, queue, LEASED, reason=cancel, ttl=retention.result_ttl)
        elif lost + 1 >= MAX_LOST:
            ending.convict(unit, seq, queue, worker=worker, ttl=retention.dead_ttl)
            convicted.append(id_)
        else:
            # Its queue is elsewhere: on the schedule it is published again at once.
            state = OUTBOX if away else SUSPECT
            back.append((state, unit.tokens(), seq))
            unit.moved(queue, LEASED, state)
            unit.ready = True
            waiting.append(id_)
    unit.conn.executemany(_BACK, back)
    return waiting, convicted


def _cancel_expired(unit: Unit, limit: int, retention: Retention) -> list[str]:
    """Cancels tasks that were not started in time."""
    rows = unit.conn.execute(_EXPIRED, (unit.now, limit)).fetchall()
    for seq, _, queue, state in rows:
        ending.cancel(unit, seq, queue, state, reason="expired", ttl=retention.result_ttl)
    return [row[1] for row in rows]


def _purge(unit: Unit, limit: int) -> int:
    """Removes records whose time is over."""
    rows = unit.conn.execute(_OLD, (unit.now, limit)).fetchall()
    unit.conn.executemany(_REMOVE, [(seq,) for seq, _, _ in rows])
    for _, queue, dead in rows:
        unit.moved(queue, DONE, None)
        unit.dropped(queue, dead)
    return len(rows)


def _drop_letters(unit: Unit, limit: int, most: int) -> int:
    """Removes the oldest dead letters of queues that have too many; returns how many."""
    dropped = 0
    # What was purged just now is not counted yet, so that a queue may be named in vain.
    for queue, dead in unit.conn.execute(_CROWDED, (most,)).fetchall():
        excess = min(dead + unit.letters(queue) - most, limit - dropped)
        if excess <= 0:
            continue
        rows = unit.conn.execute(_OLDEST_LETTERS, (queue, excess)).fetchall()
        unit.conn.executemany(_REMOVE, rows)
        unit.moved(queue, DONE, None, len(rows))
        unit.dropped(queue, len(rows))
        unit.ended = True
        dropped += len(rows)
    return dropped
