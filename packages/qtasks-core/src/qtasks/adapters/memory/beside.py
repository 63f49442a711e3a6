"""The store's part when the broker is elsewhere: records, leases and a schedule, but no queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qtasks.adapters.memory.leases import take_back
from qtasks.schemas import Begun

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qtasks.adapters.memory.row import Row
    from qtasks.adapters.memory.store import Store
    from qtasks.schemas import Delivery, Message, Receipt, Retention

__all__ = ["begin", "dispatched", "due", "put"]


def put(
    store: Store,
    messages: Sequence[Message],
    now: float,
    *,
    scheduled: bool,
    replaced_ttl: float,
) -> list[Receipt]:
    """Writes records; see :meth:`BaseStorage.put`."""
    receipts = store.publish(messages, now, beside=True, replaced_ttl=replaced_ttl)
    if scheduled:
        for receipt in receipts:
            row = store.rows.get(receipt.id)
            if receipt.created and row is not None and row.waits:  # not replaced by another
                store.line_up(row, 0, now)
    return receipts


def begin(
    store: Store,
    deliveries: Iterable[Delivery],
    worker: str,
    lease: float,
    *,
    now: float,
    retention: Retention,
) -> Begun:
    """Takes leases; see :meth:`BaseStorage.begin`."""
    begun: list[Delivery] = []
    skip: list[str] = []
    busy: list[str] = []
    for delivery in deliveries:
        if delivery.id not in store.rows:
            store.publish([delivery.message], now, beside=True)
        row = store.rows.get(delivery.id)
        if row is None:  # its unique key is held by another task
            skip.append(delivery.id)
        elif is_busy(row, now):
            busy.append(delivery.id)
        elif not may_begin(store, row, now, retention):
            skip.append(delivery.id)
        else:
            store.lease(row, worker, lease, now)
            begun.append(row.delivery(delivery.receipt))
    return Begun(tuple(begun), tuple(skip), tuple(busy))


def is_busy(row: Row, now: float) -> bool:
    """Tells whether a task is held, even by the asking worker: this is another copy then."""
    return row.lease_until is not None and row.lease_until > now


def may_begin(store: Store, row: Row, now: float, retention: Retention) -> bool:
    """Settles what stands against a run, and tells whether it may begin."""
    if row.lease_until is not None:
        take_back(store, row, now, retention)
    if row.finished_at is not None:
        return False
    if store.overdue(row, now):
        store.expire_waiting(row, now, retention)
        return False
    # A copy of a message whose task waits for its next run comes too early: the schedule
    # publishes it again when it is due.
    return row.home is not store.schedule or row.held or row.due_at <= now


def due(store: Store, limit: int, lease: float, now: float) -> list[Message]:
    """Takes scheduled tasks that are due; see :meth:`BaseStorage.due`."""
    rows: list[Row] = []
    while len(rows) < limit and (row := store.schedule.pop_due(now)) is not None:
        rows.append(row)
    for row in rows:
        row.held = True
        store.schedule.push(now + lease, row)
    return [msgspec.structs.replace(row.copy_message(), delay=0.0, eta=None) for row in rows]


def dispatched(store: Store, ids: Iterable[str]) -> None:
    """Notes what was published; see :meth:`BaseStorage.dispatched`.

    A task that was begun and lined up again meanwhile stays on the schedule.
    """
    for id_ in ids:
        row = store.rows.get(id_)
        if row is not None and row.held:
            row.held = False
            store.withdraw(row)
