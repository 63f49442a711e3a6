"""Leases that are renewed, run out and are taken back; and the rest of the housekeeping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.adapters.memory.lanes import SUSPECT
from qtasks.schemas import MAX_LOST, Extension, Held, Swept, TaskError, TaskStatusEnum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtasks.adapters.memory.row import Row
    from qtasks.adapters.memory.store import Store
    from qtasks.schemas import Retention

__all__ = ["blame", "expire", "extend", "holds", "sweep", "take_back"]


def extend(store: Store, held: Iterable[Held], lease: float, now: float) -> Extension:
    """Renews leases; see :meth:`BaseBroker.extend`."""
    lost: list[str] = []
    cancelled: dict[str, str] = {}
    for item in held:
        row = store.rows.get(item.id)
        if row is None or row.token != item.token or row.lease_until is None:
            lost.append(item.id)
            continue
        row.lease_until = now + lease
        store.leases.withdraw(row)
        store.leases.push(row.lease_until, row)
        if row.cancel is not None:
            cancelled[row.id] = row.cancel
    return Extension(tuple(lost), cancelled)


def blame(store: Store, held: Held, lost: int) -> None:
    """Sets how many losses count against a task that is held."""
    row = store.rows.get(held.id)
    if row is not None and row.token == held.token and row.lease_until is not None:
        row.lost = lost


def holds(store: Store, worker: str) -> list[Held]:
    """Lists what a worker holds."""
    rows = [row for row in store.leases.rows() if row.worker == worker]
    return [Held(row.id, row.token, row.message.queue) for row in rows]


def expire(store: Store, worker: str, now: float, retention: Retention) -> int:
    """Takes back all that a worker holds; returns how many."""
    rows = [row for row in store.leases.rows() if row.worker == worker]
    for row in rows:
        take_back(store, row, now, retention)
    return len(rows)


def take_back(store: Store, row: Row, now: float, retention: Retention) -> None:
    """Ends a lease as lost: the task waits again, or is convicted, or was to be cancelled."""
    row.lost += 1
    store.stamp(row)
    if row.cancel is not None:
        store.end(row, TaskStatusEnum.CANCEL, now, retention.result_ttl, reason=row.cancel)
    elif row.lost >= MAX_LOST:
        message = f"its worker was lost {row.lost} times in a row"
        row.error = TaskError("qtasks.exc.ProcessCrashedError", message)
        ttl = retention.dead_ttl
        store.end(row, TaskStatusEnum.ERROR, now, ttl, reason="worker_lost", dead=True)
    else:
        store.unlease(row)
        row.due_at = now
        store.watch(row)
        store.line_up(row, SUSPECT, now)


def sweep(store: Store, limit: int, now: float, retention: Retention) -> Swept:
    """Does one bounded round of housekeeping; see :meth:`BaseBroker.sweep`."""
    store.holds.sweep(now)
    losses = sweep_leases(store, limit, now, retention)
    expired = sweep_deadlines(store, limit, now, retention)
    purged = sweep_finished(store, limit, now)
    first = store.leases.first()
    purged += drop_letters(store, limit - purged, retention.dead_limit)
    return Swept(
        tuple(row.id for row in losses if row.status is TaskStatusEnum.PROCESS),
        tuple(row.id for row in losses if row.status is TaskStatusEnum.ERROR),
        tuple(expired),
        purged,
        more=max(len(losses), len(expired), purged) >= limit,
        next_lease_end=None if first is None else first - now,
    )


def sweep_leases(store: Store, limit: int, now: float, retention: Retention) -> list[Row]:
    """Takes back what is not renewed; returns the tasks."""
    losses: list[Row] = []
    while len(losses) < limit and (row := store.leases.pop_due(now)) is not None:
        take_back(store, row, now, retention)
        losses.append(row)
    return losses


def sweep_deadlines(store: Store, limit: int, now: float, retention: Retention) -> list[str]:
    """Cancels what was not started in time; returns the ids, those met by claims included."""
    while len(store.unreported) < limit and (row := store.deadlines.pop_due(now)) is not None:
        store.expire_waiting(row, now, retention)
    expired, store.unreported = store.unreported[:limit], store.unreported[limit:]
    return expired


def sweep_finished(store: Store, limit: int, now: float) -> int:
    """Removes records whose time is over; returns how many."""
    purged = 0
    while purged < limit and (row := store.finished.pop_due(now)) is not None:
        store.lanes(row).dropped += row.dead
        store.remove(row)
        purged += 1
    return purged


def drop_letters(store: Store, limit: int, most: int) -> int:
    """Removes the oldest dead letters of queues that have too many; returns how many."""
    dropped = 0
    for queue, lanes in store.queues.items():
        excess = min(lanes.dead - most, limit - dropped)
        if excess <= 0:
            continue
        rows = [row for row in store.died.values() if row.queue == queue]
        for row in rows[:excess]:  # in the order in which they died
            lanes.dropped += 1
            store.remove(row)
        dropped += excess
    return dropped
