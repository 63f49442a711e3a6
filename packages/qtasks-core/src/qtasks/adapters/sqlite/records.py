"""Reading records, and cancelling tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks.adapters.sqlite import ending
from qtasks.adapters.sqlite.lookup import select_in
from qtasks.adapters.sqlite.states import DONE, LEASED
from qtasks.contracts.codec import UNREADABLE
from qtasks.schemas import (
    CancelAnswer,
    Progressed,
    Record,
    Retention,
    TaskError,
    TaskStatusEnum,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from qtasks.adapters.sqlite.unit import Unit

__all__ = ["SELECT", "cancel", "ended", "get", "note_progress", "record_of"]

#: What :func:`record_of` reads, in its order.
SELECT: Final = """
    SELECT seq, gc_at, id, task, queue, status, payload, priority, headers, parent_id, root_id,
        unique_key, created_at, due, started_at, finished_at, result, error_type, error_message,
        error_traceback, reason, dead, attempts, deliveries, lost, snoozes, requeues, token,
        worker, history, progress
    FROM task
"""

_GET: Final = f"{SELECT} WHERE id IN"
_STANDING: Final = "SELECT id, state, gc_at FROM task WHERE id IN"
_FOR_CANCEL: Final = "SELECT id, seq, queue, state, gc_at FROM task WHERE id IN"
_ASK: Final = "UPDATE task SET cancel = ? WHERE seq = ? AND cancel IS NULL"

_PROGRESS: Final = "UPDATE task SET progress = ? WHERE id = ? AND token = ? AND state = 5"

_STATUS: Final = {status.value: status for status in TaskStatusEnum}

_decode_headers = msgspec.msgpack.Decoder(dict[str, str]).decode


def record_of(row: Any) -> Record:
    """Returns the record of a row of ``SELECT``."""
    (
        _, _, id_, task, queue, status, payload, priority, packed, parent_id, root_id, unique_key,
        created_at, due, started_at, finished_at, result, error_type, error_message,
        error_traceback, reason, dead, attempts, deliveries, lost, snoozes, requeues, token,
        worker, history, progress,
    ) = row  # fmt: skip
    error = None
    if error_type is not None:
        error = TaskError(error_type, error_message or "", error_traceback or "")
    return Record(
        id_, task, queue, _STATUS.get(status, TaskStatusEnum.NEW), payload, priority,
        _headers(packed), parent_id, root_id, unique_key,
        created_at, due, started_at, finished_at, result, error, reason or "",
        bool(dead), attempts, deliveries, lost, snoozes, requeues, token, worker or "", history,
        progress,
    )  # fmt: skip


def _headers(packed: bytes | None) -> dict[str, str]:
    """Returns stored headers; what cannot be read is shown as none, so that the rest can be."""
    if packed is None:
        return {}
    try:
        return _decode_headers(packed)
    except UNREADABLE:
        return {}


def get(conn: sqlite3.Connection, now: float, ids: Sequence[str]) -> dict[str, Record]:
    """Returns the records there are, by id; those whose time is over are gone."""
    rows = select_in(conn, _GET, ids)
    return {row[2]: record_of(row) for row in rows if row[1] is None or row[1] > now}


def ended(conn: sqlite3.Connection, now: float, ids: Sequence[str]) -> dict[str, Record | None]:
    """Returns those tasks that are terminal, with their records, or have no record."""
    found: dict[str, Record | None] = dict.fromkeys(ids)
    terminal = []
    for id_, state, gc_at in select_in(conn, _STANDING, ids):
        if state != DONE:
            found.pop(id_, None)
        elif gc_at > now:
            terminal.append(id_)
    found.update(get(conn, now, terminal))
    return found


def cancel(
    unit: Unit, ids: Sequence[str], reason: str, retention: Retention
) -> dict[str, CancelAnswer]:
    """Cancels waiting tasks, and leaves a request with running ones; the first reason stays."""
    answers: dict[str, CancelAnswer] = dict.fromkeys(ids, "unknown")
    rows = {row[0]: row[1:] for row in select_in(unit.conn, _FOR_CANCEL, list(answers))}
    for id_, (seq, queue, state, gc_at) in rows.items():
        if state == DONE:
            answers[id_] = "finished" if gc_at > unit.now else "unknown"
        elif state == LEASED:
            unit.conn.execute(_ASK, (reason, seq))
            answers[id_] = "requested"
        else:
            ending.cancel(unit, seq, queue, state, reason=reason, ttl=retention.result_ttl)
            answers[id_] = "cancelled"
    return answers


def note_progress(unit: Unit, entries: Sequence[Progressed]) -> None:
    """Keeps what running tasks say of their progress; what a stale run says is dropped."""
    unit.conn.executemany(_PROGRESS, [(entry.data, entry.id, entry.token) for entry in entries])
