"""What the end of a run does to a task: the outcome table, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qtasks.adapters.memory.lanes import ORDINARY, RETURNED, SUSPECT
from qtasks.schemas import Cancel, Release, Retry, Success, TaskStatusEnum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtasks.adapters.memory.row import Row
    from qtasks.adapters.memory.store import Store
    from qtasks.schemas import Settlement

__all__ = ["settle"]


def settle(store: Store, settlements: Iterable[Settlement], now: float) -> list[str]:
    """Writes outcomes and returns the refused ids; see :meth:`BaseBroker.settle`.

    An equal token on a task that nobody holds is a repeat of what was applied: it is neither
    refused nor written again.
    """
    refused: list[str] = []
    for settlement in settlements:
        row = store.rows.get(settlement.id)
        if row is None or row.token != settlement.token:
            refused.append(settlement.id)
        elif row.lease_until is not None:
            write(store, row, settlement, now)
    return refused


def write(store: Store, row: Row, settlement: Settlement, now: float) -> None:
    """Writes one outcome."""
    row.attempts = settlement.attempts
    row.snoozes = settlement.snoozes
    if settlement.history is not None:
        row.history = settlement.history
    if settlement.headers is not None:
        row.message = msgspec.structs.replace(row.message, headers=dict(settlement.headers))
    outcome = settlement.outcome
    if not isinstance(outcome, Release):
        row.lost = 0
    if isinstance(outcome, Retry | Release):
        if row.cancel is None:
            line_up_again(store, row, outcome, now)
        else:
            store.end(row, TaskStatusEnum.CANCEL, now, settlement.ttl, reason=row.cancel)
    elif isinstance(outcome, Success):
        row.result = outcome.result
        row.error = None
        store.end(row, TaskStatusEnum.SUCCESS, now, settlement.ttl)
    elif isinstance(outcome, Cancel):
        store.end(row, TaskStatusEnum.CANCEL, now, settlement.ttl, reason=outcome.reason)
    else:
        row.error = outcome.error
        reason = outcome.reason
        store.end(row, TaskStatusEnum.ERROR, now, settlement.ttl, reason=reason, dead=True)


def line_up_again(store: Store, row: Row, outcome: Retry | Release, now: float) -> None:
    """Lets a task wait for its next run."""
    store.unlease(row)
    if isinstance(outcome, Retry):
        row.error = outcome.error or row.error
        row.status = TaskStatusEnum.RETRY if outcome.counted else TaskStatusEnum.NEW
        row.due_at = now + outcome.delay
        rank = ORDINARY
    else:
        row.status = TaskStatusEnum.NEW
        row.due_at = now
        rank = SUSPECT if row.lost else RETURNED
    store.watch(row)
    store.line_up(row, rank, now)
