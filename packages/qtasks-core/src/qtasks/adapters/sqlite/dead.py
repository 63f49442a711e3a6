"""Dead letters: back to work, or away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtasks.adapters.sqlite import holds
from qtasks.adapters.sqlite.lookup import select_in
from qtasks.adapters.sqlite.states import DONE, OUTBOX, READY, SCHEDULED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.adapters.sqlite.unit import Unit

__all__ = ["discard", "requeue"]

_DEAD: Final = """
    SELECT id, gc_at, seq, queue, away, CASE WHEN unique_until IS NULL THEN unique_key
        WHEN unique_until = 'finished' THEN unique_key END
    FROM task WHERE dead = 1 AND id IN
"""
_REQUEUE: Final = """
    UPDATE task SET state = ?, status = 'new', turn = 1, due = ?, lease_until = ?,
        attempts = attempts * ?, dead = 0, reason = NULL, lost = 0, requeues = requeues + 1,
        finished_at = NULL, gc_at = NULL, expires_at = NULL, cancel = NULL,
        progress = NULL
    WHERE seq = ?
"""


def requeue(
    unit: Unit, ids: Sequence[str], *, reset_attempts: bool, spread: float, delay: float
) -> list[str]:
    """Sends dead letters back to their queue; returns the ids that went.

    A dead letter that would hold its unique key again stays where it is if a task that was
    published since holds it. Its time to expire is over or soon will be, so that no longer counts.
    """
    rows = _dead(unit, ids)
    moved = []
    for number, id_ in enumerate(rows):
        seq, queue, away, unique_key = rows[id_]
        if unique_key is not None:
            held = holds.holder(unit, unique_key)
            if held is not None and held.id != id_:
                continue
            holds.take(unit, unique_key, id_, None)
        due = unit.now + max(delay, 0.0) + max(spread, 0.0) * number / len(rows)
        state = OUTBOX if away else READY if due <= unit.now else SCHEDULED
        until = due if away else None
        unit.conn.execute(_REQUEUE, (state, due, until, not reset_attempts, seq))
        unit.moved(queue, DONE, state)
        unit.died(queue, -1)
        unit.ready = True
        moved.append(id_)
    return moved


def discard(unit: Unit, ids: Sequence[str]) -> list[str]:
    """Removes dead letters; returns the ids that were dead until now."""
    rows = _dead(unit, ids)
    for seq, queue, _, _ in rows.values():
        unit.conn.execute("DELETE FROM task WHERE seq = ?", (seq,))
        unit.moved(queue, DONE, None)
        unit.died(queue, -1)
        unit.ended = True
    return list(rows)


def _dead(unit: Unit, ids: Sequence[str]) -> dict[str, tuple[int, str, int, str | None]]:
    """Returns those ids that are dead letters, in the order they were asked for."""
    rows = {
        id_: tuple(rest)
        for id_, gc_at, *rest in select_in(unit.conn, _DEAD, ids)
        if gc_at > unit.now
    }
    return {id_: rows[id_] for id_ in dict.fromkeys(ids) if id_ in rows}
