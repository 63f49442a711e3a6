"""Writing outcomes: one look at all rows of a batch, then one statement for each kind of end.

The look decides everything: whose token is stale, what was applied before, who asked to cancel.
It happens under the write lock, so what it saw still holds when the statements run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from qtasks.adapters.sqlite.lookup import select_in
from qtasks.adapters.sqlite.publish import encode_headers
from qtasks.adapters.sqlite.states import DONE, LEASED, OUTBOX, READY, SCHEDULED, SUSPECT
from qtasks.adapters.sqlite.unit import Unit
from qtasks.schemas import Cancel, Fail, Release, Retry, Settlement, Success

__all__ = ["finish", "settle"]

_COLUMNS: Final = "SELECT seq, id, token, state, queue, cancel, away, lost FROM task WHERE"
_BY_SEQ: Final = f"{_COLUMNS} seq IN"
_BY_ID: Final = f"{_COLUMNS} id IN"

_PATCH: Final = "history = coalesce(?, history), headers = coalesce(?, headers)"
_COUNTS: Final = f"attempts = ?, snoozes = ?, {_PATCH}"
_END: Final = "state = 6, finished_at = ?, gc_at = ?, lease_until = NULL, lost = 0, cancel = NULL"

_SUCCEED: Final = f"""
    UPDATE task SET {_END}, status = 'success', result = ?, reason = NULL,
        error_type = NULL, error_message = NULL, error_traceback = NULL, {_COUNTS}
    WHERE seq = ?
"""
_FAIL: Final = f"""
    UPDATE task SET {_END}, status = 'error', dead = 1, reason = ?,
        error_type = ?, error_message = ?, error_traceback = ?, {_COUNTS}
    WHERE seq = ?
"""
_CANCEL: Final = f"UPDATE task SET {_END}, status = 'cancel', reason = ?, {_COUNTS} WHERE seq = ?"
_CANCEL_UNRUN: Final = (
    f"UPDATE task SET {_END}, status = 'cancel', reason = ?, {_PATCH} WHERE seq = ?"
)
_RETRY: Final = f"""
    UPDATE task SET state = ?, status = ?, turn = 1, due = ?, lease_until = ?, lost = 0,
        error_type = coalesce(?, error_type), error_message = coalesce(?, error_message),
        error_traceback = coalesce(?, error_traceback), {_COUNTS}
    WHERE seq = ?
"""
_RELEASE: Final = f"""
    UPDATE task SET state = ?, status = 'new', turn = 0,
        lease_until = CASE WHEN away THEN due END, {_PATCH}
    WHERE seq = ?
"""
_REMOVE: Final = "DELETE FROM task WHERE seq = ?"

_TERMINAL: Final = (Success, Fail, Cancel)


def settle(unit: Unit, settlements: Sequence[Settlement]) -> list[str]:
    """Settles deliveries that were claimed here; their receipts say where the rows are."""
    keyed = [s.receipt for s in settlements if type(s.receipt) is int]
    rows = {row[1]: row for row in select_in(unit.conn, _BY_SEQ, keyed)}
    missing = [s.id for s in settlements if s.id not in rows]
    if missing:
        rows |= {row[1]: row for row in select_in(unit.conn, _BY_ID, missing)}
    return _Batch(unit).apply(settlements, rows)


def finish(unit: Unit, settlements: Sequence[Settlement]) -> list[str]:
    """Settles deliveries of a broker elsewhere, whose receipts mean nothing here."""
    ids = [settlement.id for settlement in settlements]
    return _Batch(unit).apply(
        settlements, {row[1]: row for row in select_in(unit.conn, _BY_ID, ids)}
    )


class _Batch:
    """The parameters of every statement, collected over a batch."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._params: dict[str, list[tuple[Any, ...]]] = {}

    def apply(self, settlements: Sequence[Settlement], rows: dict[str, Any]) -> list[str]:
        """Writes what may be written; returns the ids of what may not."""
        refused = []
        done = set()
        for settlement in settlements:
            row = rows.get(settlement.id)
            if row is None:
                if not _removed(settlement):
                    refused.append(settlement.id)
                continue
            seq, id_, token, state, queue, cancel, away, lost = row
            if token != settlement.token:
                refused.append(id_)
            elif state == LEASED and id_ not in done:
                done.add(id_)
                self._one(settlement, seq, queue, cancel, away, lost)
        for statement, params in self._params.items():
            self._unit.conn.executemany(statement, params)
        return refused

    def _one(
        self, settlement: Settlement, seq: int, queue: str, cancel: str | None, away: int, lost: int
    ) -> None:
        """Sorts one settlement to its statement."""
        outcome = settlement.outcome
        if isinstance(outcome, _TERMINAL):
            self._end(settlement, seq, queue)
        elif cancel is not None:
            # Somebody asked for it while the task ran, and now it would run again.
            self._end(settlement, seq, queue, cancel)
        elif isinstance(outcome, Retry):
            self._again(settlement, outcome, seq, queue, away)
        else:
            self._give_back(settlement, seq, queue, away, lost)

    def _end(
        self, settlement: Settlement, seq: int, queue: str, cancel: str | None = None
    ) -> None:
        """Ends a task as its outcome says, or as cancelled for the reason ``cancel``."""
        unit, outcome = self._unit, settlement.outcome
        unit.ended = True
        if settlement.ttl <= 0:
            unit.moved(queue, LEASED, None)
            self._add(_REMOVE, seq)
            return
        unit.moved(queue, LEASED, DONE)
        end = (unit.now, unit.now + settlement.ttl)
        patch = (settlement.history, encode_headers(settlement.headers))
        counts = (settlement.attempts, settlement.snoozes, *patch)
        if cancel is not None:
            if isinstance(outcome, Release):
                self._add(_CANCEL_UNRUN, *end, cancel, *patch, seq)
            else:
                self._add(_CANCEL, *end, cancel, *counts, seq)
        elif isinstance(outcome, Success):
            self._add(_SUCCEED, *end, outcome.result, *counts, seq)
        elif isinstance(outcome, Fail):
            unit.died(queue)
            error = outcome.error
            why = (outcome.reason, error.type, error.message, error.traceback)
            self._add(_FAIL, *end, *why, *counts, seq)
        elif isinstance(outcome, Cancel):
            self._add(_CANCEL, *end, outcome.reason, *counts, seq)

    def _again(
        self, settlement: Settlement, outcome: Retry, seq: int, queue: str, away: int
    ) -> None:
        """Lets a task run again after its delay."""
        unit = self._unit
        due = unit.now + max(outcome.delay, 0.0)
        state = OUTBOX if away else READY if due <= unit.now else SCHEDULED
        unit.moved(queue, LEASED, state)
        unit.ready = True
        error = outcome.error
        self._add(
            _RETRY,
            state,
            "retry" if outcome.counted else "new",
            due,
            due if away else None,
            error and error.type,
            error and error.message,
            error and error.traceback,
            settlement.attempts,
            settlement.snoozes,
            settlement.history,
            encode_headers(settlement.headers),
            seq,
        )

    def _give_back(
        self, settlement: Settlement, seq: int, queue: str, away: int, lost: int
    ) -> None:
        """Puts an unrun task before the others of its priority; a suspect stays one."""
        unit = self._unit
        state = OUTBOX if away else SUSPECT if lost else READY
        unit.moved(queue, LEASED, state)
        unit.ready = True
        self._add(
            _RELEASE, state, settlement.history, encode_headers(settlement.headers), seq
        )

    def _add(self, statement: str, *params: Any) -> None:
        self._params.setdefault(statement, []).append(params)


def _removed(settlement: Settlement) -> bool:
    """Tells whether a missing row is what this settlement, applied before, would leave behind."""
    return settlement.ttl <= 0 and isinstance(settlement.outcome, _TERMINAL)
