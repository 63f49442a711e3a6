"""Writing outcomes: one look at all rows of a batch, then one statement for each kind of end.

The look decides everything: whose token is stale, what was applied before, who asked to cancel.
It happens under the write lock, so what it saw still holds when the statements run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks.adapters.sqlite import holds
from qtasks.adapters.sqlite.lookup import select_in
from qtasks.adapters.sqlite.publish import encode_headers
from qtasks.adapters.sqlite.states import DONE, LEASED, OUTBOX, READY, SCHEDULED, SUSPECT
from qtasks.schemas import Cancel, Fail, Retry, Settlement, Success

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.adapters.sqlite.unit import Unit

__all__ = ["finish", "settle"]

_SELECT: Final = "SELECT seq, id, token, state, queue, cancel, away, lost, unique_window FROM task"
_BY_SEQ: Final = f"{_SELECT} WHERE seq IN"
_BY_ID: Final = f"{_SELECT} WHERE id IN"

_SET: Final = "UPDATE task SET"
_END: Final = f"{_SET} state = 6, finished_at = ?, gc_at = ?, lease_until = NULL, cancel = NULL"
_PATCH: Final = "history = coalesce(?, history), headers = coalesce(?, headers) WHERE seq = ?"
_COUNTS: Final = f"attempts = ?, snoozes = ?, lost = 0, {_PATCH}"

_SUCCEED: Final = f"""
    {_END}, status = 'success', result = ?, reason = NULL,
        error_type = NULL, error_message = NULL, error_traceback = NULL, {_COUNTS}
"""
_FAIL: Final = f"""
    {_END}, status = 'error', dead = 1, reason = ?,
        error_type = ?, error_message = ?, error_traceback = ?, {_COUNTS}
"""
_CANCEL: Final = f"{_END}, status = 'cancel', reason = ?, {_COUNTS}"
_CANCEL_UNRUN: Final = f"{_END}, status = 'cancel', reason = ?, {_PATCH}"
_RETRY: Final = f"""
    {_SET} state = ?, status = ?, turn = 1, due = ?, lease_until = ?,
        error_type = coalesce(?, error_type), error_message = coalesce(?, error_message),
        error_traceback = coalesce(?, error_traceback), {_COUNTS}
"""
_RELEASE: Final = f"""
    {_SET} state = ?, status = 'new', turn = 0,
        lease_until = CASE WHEN away THEN due END, {_PATCH}
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


class _Row(msgspec.Struct, gc=False):
    """What is asked of a stored task, in the order of ``_SELECT``."""

    seq: int
    id: str
    token: int
    state: int
    queue: str
    cancel: str | None
    away: int
    lost: int
    unique_window: float | None


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
            id_ = settlement.id
            columns = rows.get(id_)
            if columns is None:
                if not _removed(settlement):
                    refused.append(id_)
                continue
            row = _Row(*columns)
            if row.token != settlement.token:
                refused.append(id_)
            elif row.state == LEASED and id_ not in done:
                done.add(id_)
                self._one(settlement, row)
        for statement, params in self._params.items():
            self._unit.conn.executemany(statement, params)
        return refused

    def _one(self, settlement: Settlement, row: _Row) -> None:
        """Sorts one settlement to its statement."""
        outcome = settlement.outcome
        if isinstance(outcome, _TERMINAL):
            self._end(settlement, row)
        elif row.cancel is not None:
            # Somebody asked for it while the task ran, and now it would run again.
            self._end(settlement, row)
        elif isinstance(outcome, Retry):
            self._again(settlement, outcome, row)
        else:
            self._give_back(settlement, row)

    def _end(self, settlement: Settlement, row: _Row) -> None:
        """Ends a task as its outcome says; one that would run again, as it was asked to."""
        unit, outcome = self._unit, settlement.outcome
        unit.ended = True
        if settlement.ttl <= 0:
            if row.unique_window is not None:
                holds.keep(unit, row.seq)
            unit.moved(row.queue, LEASED, None)
            self._add(_REMOVE, row.seq)
            return
        unit.moved(row.queue, LEASED, DONE)
        end = (unit.now, unit.now + settlement.ttl)
        patch = (settlement.history, encode_headers(settlement.headers), row.seq)
        counts = (settlement.attempts, settlement.snoozes, *patch)
        if isinstance(outcome, Success):
            self._add(_SUCCEED, *end, outcome.result, *counts)
        elif isinstance(outcome, Fail):
            unit.died(row.queue)
            error = outcome.error
            why = (outcome.reason, error.type, error.message, error.traceback)
            self._add(_FAIL, *end, *why, *counts)
        elif isinstance(outcome, Cancel):
            self._add(_CANCEL, *end, outcome.reason, *counts)
        elif isinstance(outcome, Retry):
            self._add(_CANCEL, *end, row.cancel, *counts)
        else:
            self._add(_CANCEL_UNRUN, *end, row.cancel, *patch)

    def _again(self, settlement: Settlement, outcome: Retry, row: _Row) -> None:
        """Lets a task run again after its delay."""
        unit = self._unit
        due = unit.now + max(outcome.delay, 0.0)
        state = OUTBOX if row.away else READY if due <= unit.now else SCHEDULED
        unit.moved(row.queue, LEASED, state)
        unit.ready = True
        error = outcome.error
        self._add(
            _RETRY,
            state,
            "retry" if outcome.counted else "new",
            due,
            due if row.away else None,
            error and error.type,
            error and error.message,
            error and error.traceback,
            settlement.attempts,
            settlement.snoozes,
            settlement.history,
            encode_headers(settlement.headers),
            row.seq,
        )

    def _give_back(self, settlement: Settlement, row: _Row) -> None:
        """Puts an unrun task before the others of its priority; a suspect stays one."""
        unit = self._unit
        state = OUTBOX if row.away else SUSPECT if row.lost else READY
        unit.moved(row.queue, LEASED, state)
        unit.ready = True
        headers = encode_headers(settlement.headers)
        self._add(_RELEASE, state, settlement.history, headers, row.seq)

    def _add(self, statement: str, *params: Any) -> None:
        self._params.setdefault(statement, []).append(params)


def _removed(settlement: Settlement) -> bool:
    """Tells whether a missing row is what this settlement, applied before, would leave behind."""
    return settlement.ttl <= 0 and isinstance(settlement.outcome, _TERMINAL)
