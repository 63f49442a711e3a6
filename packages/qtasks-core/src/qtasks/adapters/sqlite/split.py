"""The storage of a broker elsewhere: begins, the schedule, and the way back to the queue.

A row whose queue is elsewhere has ``away`` set. While its message is there it is ``PARKED``;
while it waits here to be published it stands in the ``OUTBOX``. There ``lease_until`` says when it
may be handed out: when it is due, or, after that was done, when the patience with the keeper that
took it ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from qtasks.adapters.sqlite import ending
from qtasks.adapters.sqlite.claim import SELECT, delivery_of
from qtasks.adapters.sqlite.lookup import select_in
from qtasks.adapters.sqlite.publish import put
from qtasks.adapters.sqlite.states import DONE, LEASED, OUTBOX, PARKED
from qtasks.schemas import MAX_LOST, Begun, Delivery, Message, Retention

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.adapters.sqlite.unit import Unit

__all__ = ["begin", "dispatched", "due"]

_ROWS: Final = f"{SELECT} WHERE id IN"
_LEASE: Final = """
    UPDATE task SET state = 5, status = 'process', token = ?, deliveries = deliveries + 1,
        lost = ?, lease_until = ?, started_at = ?, worker = ?, away = 1
    WHERE seq = ?
"""
_DUE: Final = f"""
    {SELECT} INDEXED BY task_outbox
    WHERE state = 4 AND lease_until <= :now AND (expires_at IS NULL OR expires_at > :now)
    ORDER BY lease_until LIMIT :limit
"""
_HAND_OUT: Final = "UPDATE task SET lease_until = ? WHERE seq = ?"
_OUT: Final = "SELECT seq, queue FROM task WHERE state = 4 AND lease_until > due AND id IN"
_PARK: Final = "UPDATE task SET state = 3, lease_until = NULL WHERE seq = ?"


class _Row:
    """What :func:`begin` asks of a stored task."""

    def __init__(self, columns: Sequence[Any]) -> None:
        self.columns = columns
        self.seq, self.queue = columns[0], columns[3]
        self.lost, self.due, self.expires_at = columns[15], columns[18], columns[20]
        self.state, self.lease_until, self.cancel, self.worker = columns[22:]


def begin(
    unit: Unit, deliveries: Sequence[Delivery], worker: str, lease: float, retention: Retention
) -> Begun:
    """Takes leases on deliveries that came from elsewhere."""
    put(unit, [delivery.message for delivery in deliveries], scheduled=False, replaced_ttl=None)
    rows = {row[1]: _Row(row) for row in select_in(unit.conn, _ROWS, [d.id for d in deliveries])}
    begun: dict[str, Delivery] = {}
    skip: list[str] = []
    busy: list[str] = []
    for delivery in deliveries:
        id_ = delivery.id
        row = rows.get(id_)
        if row is None:
            # Another task holds its unique key, so it was never accepted here.
            skip.append(id_)
        elif id_ in begun or (row.state == LEASED and row.lease_until > unit.now):
            busy.append(id_)
        elif id_ in skip or _over(unit, row, retention):
            skip.append(id_)
        else:
            begun[id_] = _begin(unit, delivery, row, worker, lease)
    return Begun(tuple(begun.values()), tuple(skip), tuple(busy))


def _over(unit: Unit, row: _Row, retention: Retention) -> bool:
    """Tells whether a task must not run now, and ends what was lost too often or cancelled.

    What expired is left to the sweep, which reports it.
    """
    if row.state == DONE:
        return True
    if row.state == LEASED:
        task = (unit, row.seq, row.queue)
        if row.cancel is not None:
            ending.cancel(*task, row.state, reason=row.cancel, ttl=retention.result_ttl)
            return True
        if row.lost + 1 >= MAX_LOST:
            ending.convict(*task, worker=row.worker, ttl=retention.dead_ttl)
            return True
    if row.state == OUTBOX and row.due > unit.now:
        # A left-over message of a task that waits for its retry; the schedule sends another.
        return True
    return row.expires_at is not None and row.expires_at <= unit.now


def _begin(unit: Unit, delivery: Delivery, row: _Row, worker: str, lease: float) -> Delivery:
    """Leases one row and returns the delivery with what is known here."""
    now, token = unit.now, unit.tokens()
    lost = row.lost + 1 if row.state == LEASED else row.lost
    unit.conn.execute(_LEASE, (token, lost, now + lease, now, worker, row.seq))
    unit.moved(row.queue, row.state, LEASED)
    ours = delivery_of(row.columns, token, now)
    malformed = delivery.malformed or ours.malformed
    return replace(ours, lost=lost, malformed=malformed, receipt=delivery.receipt)


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
