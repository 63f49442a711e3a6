"""New tasks."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks.adapters.sqlite.states import DONE, OUTBOX, PARKED, READY, SCHEDULED
from qtasks.schemas import Message, Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.adapters.sqlite.unit import Unit

__all__ = ["encode_headers", "publish", "put"]

_INSERT: Final = """
    INSERT INTO task (
        id, task, queue, payload, priority, state, due, created_at, away, lease_until,
        expires_at, delay, eta, expires, unique_key, parent_id, root_id, headers
    )
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
_KNOWN: Final = "SELECT seq, queue, dead, state, gc_at FROM task WHERE id = ?"
_HOLDER: Final = "SELECT id FROM task INDEXED BY task_unique WHERE unique_key = ? AND state <= 5"

#: Where in a row of ``_INSERT`` the queue and the state stand.
_QUEUE: Final = 2
_STATE: Final = 5

_encode = msgspec.msgpack.Encoder().encode


def encode_headers(headers: dict[str, str] | None) -> bytes | None:
    """Returns headers as they are stored; no headers take no space."""
    return _encode(headers) if headers else None


def publish(unit: Unit, messages: Sequence[Message]) -> list[Receipt]:
    """Queues messages here."""
    now = unit.now
    rows = []
    for message in messages:
        due = _due(message, now)
        rows.append(_row(message, now, due, READY if due <= now else SCHEDULED))
    return _add(unit, messages, rows)


def put(unit: Unit, messages: Sequence[Message], *, scheduled: bool) -> list[Receipt]:
    """Records messages whose queue is elsewhere, to be published now or when they are due."""
    now = unit.now
    state = OUTBOX if scheduled else PARKED
    rows = [_row(message, now, _due(message, now), state, away=1) for message in messages]
    return _add(unit, messages, rows)


def _due(message: Message, now: float) -> float:
    """Returns when a message may run."""
    due = now + message.delay if message.delay > 0 else now
    return due if message.eta is None or message.eta < due else message.eta


def _row(message: Message, now: float, due: float, state: int, away: int = 0) -> tuple[Any, ...]:
    """Returns the parameters of ``_INSERT``."""
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


def _add(unit: Unit, messages: Sequence[Message], rows: Sequence[tuple[Any, ...]]) -> list[Receipt]:
    """Inserts rows, all at once if none of them is known, else one by one."""
    conn = unit.conn
    before = conn.total_changes
    conn.execute("SAVEPOINT add_tasks")
    conn.executemany(_INSERT, rows)
    if conn.total_changes - before == len(rows):
        conn.execute("RELEASE add_tasks")
        receipts = [Receipt(message.id, created=True) for message in messages]
    else:
        conn.execute("ROLLBACK TO add_tasks")
        conn.execute("RELEASE add_tasks")
        receipts = [
            _add_one(unit, message, row) for message, row in zip(messages, rows, strict=True)
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


def _add_one(unit: Unit, message: Message, row: tuple[Any, ...]) -> Receipt:
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
        holder = conn.execute(_HOLDER, (message.unique_key,)).fetchone()
        if holder is not None:
            return Receipt(holder[0], created=False)
    if conn.execute(_INSERT, row).rowcount != 1:
        msg = f"the row of task {message.id} was not accepted"
        raise sqlite3.IntegrityError(msg)
    return Receipt(message.id, created=True)
