"""The storage of a broker elsewhere: begins, the schedule, and the way back to the queue.

A row whose queue is elsewhere has ``away`` set. While its message is there it is ``PARKED``;
while it waits here to be published it stands in the ``OUTBOX``. There ``lease_until`` says when it
may be handed out: when it is due, or, after that was done, when the patience with the keeper that
took it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from qtasks.adapters.sqlite import ending
from qtasks.adapters.sqlite.claim import DELIVERY_COLUMNS, delivery_of
from qtasks.adapters.sqlite.lookup import select_in
from qtasks.adapters.sqlite.publish import put
from qtasks.adapters.sqlite.states import DONE, LEASED, OUTBOX, PARKED
from qtasks.adapters.sqlite.unit import Unit
from qtasks.schemas import MAX_LOST, Begun, Delivery, Message, Retention

__all__ = ["begin", "dispatched", "due"]

_WIDTH: Final = 22
_ROWS: Final = (
    f"SELECT {DELIVERY_COLUMNS}, state, lease_until, cancel, worker FROM task WHERE id IN"
)
_LEASE: Final = """
    UPDATE task SET state = 5, status = 'process', token = ?, deliveries = deliveries + 1,
        lost = ?, lease_until = ?, started_at = ?, worker = ?, away = 1
    WHERE seq = ?
"""
_DUE: Final = f"""
    SELECT {DELIVERY_COLUMNS} FROM task INDEXED BY task_outbox
    WHERE state = 4 AND lease_until <= :now AND (expires_at IS NULL OR expires_at > :now)
    ORDER BY lease_until LIMIT :limit
"""
_HAND_OUT: Final = "UPDATE task SET lease_until = ? WHERE seq = ?"
_OUT: Final = "SELECT seq, queue FROM task WHERE state = 4 AND lease_until > due AND id IN"
_PARK: Final = "UPDATE task SET state = 3, lease_until = NULL WHERE seq = ?"


def begin(
    unit: Unit, deliveries: Sequence[Delivery], worker: str, lease: float, retention: Retention
) -> Begun:
    """Takes leases on deliveries that came from elsewhere."""
    put(unit, [delivery.message for delivery in deliveries], scheduled=False)
    rows = {row[1]: row for row in select_in(unit.conn, _ROWS, [d.id for d in deliveries])}
    begun: list[Delivery] = []
    skip: list[str] = []
    busy: list[str] = []
    seen: set[str] = set()
    for delivery in deliveries:
        id_ = delivery.id
        row = rows.get(id_)
        if row is None:
            # Another task holds its unique key, so it was never accepted here.
            skip.append(id_)
        elif id_ in seen or _held(row, unit.now):
            busy.append(id_)
        elif _over(unit, row, retention):
            skip.append(id_)
        else:
            begun.append(_begin(unit, delivery, row, worker, lease))
        seen.add(id_)
    return Begun(tuple(begun), tuple(skip), tuple(busy))


def _held(row: Any, now: float) -> bool:
    """Tells whether another worker holds a live lease."""
    state, until = row[_WIDTH], row[_WIDTH + 1]
    return bool(state == LEASED and until > now)


def _over(unit: Unit, row: Any, retention: Retention) -> bool:
    """Tells whether a task must not run now, and ends what was lost too often or cancelled.

    What expired is left to the sweep, which reports it.
    """
    seq, queue, lost, due, expires_at = row[0], row[3], row[15], row[18], row[20]
    state, _, cancel, holder = row[_WIDTH:]
    if state == DONE:
        return True
    if state == LEASED:
        if cancel is not None:
            ending.cancel(unit, seq, queue, state, cancel, retention.result_ttl)
            return True
        if lost + 1 >= MAX_LOST:
            ending.convict(unit, seq, queue, holder, retention.dead_ttl)
            return True
    if state == OUTBOX and due > unit.now:
        # A left-over message of a task that waits for its retry; the schedule sends another.
        return True
    return bool(expires_at is not None and expires_at <= unit.now)


def _begin(unit: Unit, delivery: Delivery, row: Any, worker: str, lease: float) -> Delivery:
    """Leases one row and returns the delivery with what is known here."""
    seq, queue, lost, state = row[0], row[3], row[15], row[_WIDTH]
    now, token = unit.now, unit.tokens()
    if state == LEASED:
        lost += 1
    unit.conn.execute(_LEASE, (token, lost, now + lease, now, worker, seq))
    unit.moved(queue, state, LEASED)
    ours = delivery_of(row[:_WIDTH], token, now)
    return replace(
        ours,
        lost=lost,
        malformed=delivery.malformed or ours.malformed,
        receipt=delivery.receipt,
    )


def due(unit: Unit, limit: int, lease: float) -> list[Message]:
    """Takes scheduled tasks that are due, for ``lease`` seconds; they need not wait any more."""
    rows = unit.conn.execute(_DUE, {"now": unit.now, "limit": limit}).fetchall()
    until = unit.now + lease
    unit.conn.executemany(_HAND_OUT, [(until, row[0]) for row in rows])
    messages = (delivery_of(row, 0, unit.now).message for row in rows)
    return [replace(message, delay=0.0, eta=None) for message in messages]


def dispatched(unit: Unit, ids: Sequence[str]) -> None:
    """Notes that tasks were published.

    Those that a quick worker began meanwhile, or even put back on the schedule, stay as they are.
    """
    rows = dict(select_in(unit.conn, _OUT, ids))
    unit.conn.executemany(_PARK, [(seq,) for seq in rows])
    for queue in rows.values():
        unit.moved(queue, OUTBOX, PARKED)
