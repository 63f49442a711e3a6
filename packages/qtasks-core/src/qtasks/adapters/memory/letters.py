"""Dead letters: sent back or thrown away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.adapters.memory.lanes import ORDINARY
from qtasks.schemas import TaskStatusEnum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtasks.adapters.memory.row import Row
    from qtasks.adapters.memory.store import Store

__all__ = ["discard", "requeue"]


def requeue(
    store: Store,
    ids: Iterable[str],
    now: float,
    *,
    reset_attempts: bool,
    spread: float,
    delay: float,
) -> list[str]:
    """Sends dead letters back; see :meth:`BaseStorage.requeue`.

    One that would hold its unique key again stays where it is while another task holds it.
    """
    rows: list[Row] = []
    for id_ in ids:
        row = store.died.get(id_)
        if row is None:
            continue
        if row.unique_key is not None and row.message.unique_until == "finished":
            if store.holds.holder(row.unique_key, now) not in {None, row}:
                continue
            store.holds.take(row.unique_key, row, now)
        store.revive(row)
        rows.append(row)
    for place, row in enumerate(rows):
        row.status = TaskStatusEnum.NEW
        row.finished_at = None
        row.reason = ""
        row.progress = None
        row.lost = 0
        row.requeues += 1
        if reset_attempts:
            row.attempts = 0
        row.due_at = now + delay + spread * place / len(rows)
        row.expires_at = None  # somebody wants it to run, however late
        store.line_up(row, ORDINARY, now)
    return [row.id for row in rows]


def discard(store: Store, ids: Iterable[str]) -> list[str]:
    """Removes dead letters; see :meth:`BaseStorage.discard`."""
    rows = [row for id_ in dict.fromkeys(ids) if (row := store.died.get(id_)) is not None]
    for row in rows:
        store.remove(row)
    return [row.id for row in rows]
