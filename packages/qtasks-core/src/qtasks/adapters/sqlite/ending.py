"""Ends that the storage writes by itself: cancelled, expired, convicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtasks.adapters.sqlite import holds
from qtasks.adapters.sqlite.states import DONE, LEASED
from qtasks.schemas import MAX_LOST

if TYPE_CHECKING:
    from qtasks.adapters.sqlite.unit import Unit

__all__ = ["cancel", "convict"]

_CANCEL: Final = """
    UPDATE task SET state = 6, status = 'cancel', reason = ?, cancel = NULL, lease_until = NULL,
        token = coalesce(?, token), lost = lost + (state = 5), finished_at = ?, gc_at = ?
    WHERE seq = ?
"""
_CONVICT: Final = """
    UPDATE task SET state = 6, status = 'error', dead = 1, reason = 'worker_lost',
        token = ?, lost = lost + 1, lease_until = NULL, finished_at = ?, gc_at = ?,
        error_type = 'qtasks.exc.WorkerLost', error_message = ?, error_traceback = ''
    WHERE seq = ?
"""
_REMOVE: Final = "DELETE FROM task WHERE seq = ?"


def cancel(unit: Unit, seq: int, queue: str, state: int, *, reason: str, ttl: float) -> None:
    """Cancels a task that is in ``state`` and keeps its record for ``ttl`` seconds."""
    unit.ended = True
    if ttl <= 0:
        holds.keep(unit, seq)
        unit.conn.execute(_REMOVE, (seq,))
        unit.moved(queue, state, None)
        return
    # Who holds a lease that is ended this way must not settle any more.
    token = unit.tokens() if state == LEASED else None
    unit.conn.execute(_CANCEL, (reason, token, unit.now, unit.now + ttl, seq))
    unit.moved(queue, state, DONE)


def convict(unit: Unit, seq: int, queue: str, *, worker: str | None, ttl: float) -> None:
    """Sets a leased task aside among the dead letters for ``ttl`` seconds."""
    unit.ended = True
    if ttl <= 0:
        holds.keep(unit, seq)
        unit.conn.execute(_REMOVE, (seq,))
        unit.moved(queue, LEASED, None)
        return
    message = (
        f"{MAX_LOST} workers in a row were lost while they ran this task, the last one was"
        f" {worker or 'unknown'}"
    )
    unit.conn.execute(_CONVICT, (unit.tokens(), unit.now, unit.now + ttl, message, seq))
    unit.moved(queue, LEASED, DONE)
    unit.died(queue)
