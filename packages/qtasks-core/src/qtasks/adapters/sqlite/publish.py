"""New tasks."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks.adapters.sqlite import ending, holds
from qtasks.adapters.sqlite.states import DONE, OUTBOX, PARKED, READY, SCHEDULED
from qtasks.schemas import Message, Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.adapters.sqlite.unit import Unit

__all__ = ["encode_headers", "publish", "put"]

_INTO: Final = """
    INTO task (
        id, task, queue, payload, priority, state, due, created_at, away, lease_until,
        expires_at, delay, eta, expires, unique_key, parent_id, root_id, headers
    )
"""
_VALUES: Final = ", ".join("?" * 18)  # without numbers, which Python 3.12.0 to 3.12.3 warns of
_INSERT: Final = f"INSERT {_INTO} VALUES ({_VALUES}) ON CONFLICT DO NOTHING"  # noqa: S608 - all of it is above
_UNIQUE: Final = "UPDATE task SET unique_until = ?, unique_window = ? WHERE id = ?"
_KNOWN: Final = "SELECT seq, queue, dead, state, gc_at FROM task WHERE id = ?"

#: Where in a row of ``_INTO`` the queue and the state stand.
_QUEUE: Final = 2
_STATE: Final = 5

_encode = msgspec.msgpack.Encoder().encode


def encode_headers(headers: dict[str, str] | None) -> bytes | None:
    """Returns headers as they are stored; no headers take no space."""
    return _encode(headers) if headers else None


def publish(unit: Unit, messages: Sequence[Message], *, replaced_ttl: float) -> list[Receipt]:
    """Queues messages here.

    Args:
        unit: the job.
        messages: what to queue.
        replaced_ttl: seconds for which tasks are kept that others replace.
    """
    now = unit.now
    rows = []
    for message in messages:
        due = _due(message, now)
        rows.append(_row(message, now, due, READY if due <= now else SCHEDULED))
    return _add(unit, messages, rows, replaced_ttl)


def put(
    unit: Unit,
    messages: Sequence[Message],
    *,
    scheduled: bool,
    replaced_ttl: float | None,
) -> list[Receipt]:
    """Records messages whose queue is elsewhere, to be published now or when they are due.

    Args:
        unit: the job.
        messages: what to record.
        scheduled: whether they are published when they are due.
        replaced_ttl: as for :func:`publish`; None if none may be replaced.
    """
    now = unit.now
    state = OUTBOX if scheduled else PARKED
    rows = [_row(message, now, _due(message, now), state, away=1) for message in messages]
    return _add(unit, messages, rows, replaced_ttl)


def _due(message: Message, now: float) -> float:
    """Returns when a message may run."""
    due = now + message.delay if message.delay > 0 else now
    return due if message.eta is None or message.eta < due else message.eta


def _row(message: Message, now: float, due: float, state: int, away: int = 0) -> tuple[Any, ...]:
    """Returns the parameters of ``_INSERT_ALL``."""
    expires = message.expires
    return (
        message.id,
        message.task,
        message.queue,
        message.payload,
        message.priority,
        state,
        due,
        now,
        away,
        due if state == OUTBOX else None,
        None if expires is None else now + expires,
        message.delay or None,
        message.eta,
        expires,
        message.unique_key,
        message.parent_id,
        message.root_id,
        encode_headers(message.headers),
    )


def _add(
    unit: Unit,
    messages: Sequence[Message],
    rows: Sequence[tuple[Any, ...]],
    replaced_ttl: float | None,
) -> list[Receipt]:
    """Inserts rows, all at once if none is known and none has a unique key, else one by one."""
    if all(message.unique_key is None for message in messages) and _add_all(unit.conn, rows):
        receipts = [Receipt(message.id, created=True) for message in messages]
    else:
        receipts = [
            _add_one(unit, message, row, replaced_ttl)
            for message, row in zip(messages, rows, strict=True)
        ]
    for queue in {row[_QUEUE] for row in rows}:
        unit.published(queue)
    added = Counter(
        (row[_QUEUE], row[_STATE])
        for row, receipt in zip(rows, receipts, strict=True)
        if receipt.created
    )
    for (queue, state), count in added.items():
        unit.moved(queue, None, state, count)
        unit.ready = True
    return receipts


def _add_all(conn: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> bool:
    """Inserts all rows, or none of them if one is known, and tells whether it did."""
    before = conn.total_changes
    conn.execute("SAVEPOINT add_tasks")
    conn.executemany(_INSERT, rows)
    added = conn.total_changes - before == len(rows)
    if not added:
        conn.execute("ROLLBACK TO add_tasks")
    conn.execute("RELEASE add_tasks")
    return added


def _add_one(
    unit: Unit, message: Message, row: tuple[Any, ...], replaced_ttl: float | None
) -> Receipt:
    """Inserts one row unless its id is known or its key is held."""
    conn = unit.conn
    known = conn.execute(_KNOWN, (message.id,)).fetchone()
    if known is not None:
        seq, queue, dead, state, gc_at = known
        if state != DONE or gc_at > unit.now:
            return Receipt(message.id, created=False)
        # Its time is over; only the sweep has not come by yet.
        conn.execute("DELETE FROM task WHERE seq = ?", (seq,))
        unit.moved(queue, DONE, None)
        unit.died(queue, -dead)
    if message.unique_key is not None:
        held = _hold(unit, message, message.unique_key, replaced_ttl)
        if held is not None:
            return Receipt(held, created=False)
    if conn.execute(_INSERT, row).rowcount != 1:
        msg = f"the row of task {message.id} was not accepted"
        raise sqlite3.IntegrityError(msg)
    if message.unique_until != "finished" or message.unique_window:
        window = message.unique_window if message.unique_until == "finished" else 0.0
        conn.execute(_UNIQUE, (message.unique_until, window or None, message.id))
    return Receipt(message.id, created=True)


def _hold(unit: Unit, message: Message, key: str, replaced_ttl: float | None) -> str | None:
    """Takes a key, or returns the id of the task that holds it."""
    held = holds.holder(unit, key)
    if held is not None:
        if not (message.unique_replaces and held.waits and replaced_ttl is not None):
            return held.id
        assert held.seq is not None  # noqa: S101 - a task that waits has a row
        assert held.queue is not None  # noqa: S101 - likewise
        assert held.state is not None  # noqa: S101 - likewise
        # Before, so that the end of the other frees nothing that is ours.
        holds.take(unit, key, message.id, None)
        ending.cancel(unit, held.seq, held.queue, held.state, reason="replaced", ttl=replaced_ttl)
    by_time = message.unique_until == "added"
    holds.take(unit, key, message.id, unit.now + message.unique_window if by_time else None)
    return None
