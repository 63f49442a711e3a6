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

    One whose unique key is held by an unfinished task stays where it is.
    """
    rows: list[Row] = []
    for id_ in ids:
        row = store.died.get(id_)
        if row is None or store.unique_holder(row.unique_key) is not None:
            continue
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
