"""Pages of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtasks.adapters.sqlite.records import SELECT, record_of
from qtasks.exc import ConfigError
from qtasks.schemas import Page, RecordQuery

if TYPE_CHECKING:
    import sqlite3

__all__ = ["list_records"]

_LARGEST: Final = 1000

#: What each field of a query asks of a row.
_CLAUSES: Final = {
    "status": "status = :status",
    "queue": "queue = :queue",
    "task": "task = :task",
    "reason": "reason = :reason",
    "error_type": "substr('.' || error_type, -length(:error_type) - 1) = '.' || :error_type",
    "error": """
        (substr('.' || error_type, -length(:error) - 1) = '.' || :error
        OR instr(error_message, :error) > 0)
    """,
}


def list_records(conn: sqlite3.Connection, now: float, query: RecordQuery) -> Page:
    """Returns one page, newest first: dead letters by their end, others by their beginning.

    Raises:
        ConfigError: the cursor did not come from an earlier page.
    """
    # Finished records that only wait for the sweep are gone already.
    where = ["(gc_at IS NULL OR gc_at > :now)"]
    params: dict[str, Any] = {"now": now}
    for field, clause in _CLAUSES.items():
        value = getattr(query, field)
        if value is not None:
            where.append(clause)
            params[field] = str(value)
    if query.dead is not None:
        # Written out, because an index is only used for a constant.
        where.append(f"dead = {query.dead:d}")
    moment = "finished_at" if query.dead else "created_at"
    if query.since is not None:
        where.append(f"{moment} >= :since")
        params["since"] = query.since
    if query.until is not None:
        where.append(f"{moment} < :until")
        params["until"] = query.until
    if query.cursor is not None:
        # Rows are numbered as they are created, so that only dead letters need the time.
        params["at"], params["seq"] = _position(query.cursor)
        before = "(finished_at, seq) < (:at, :seq)" if query.dead else "seq < :seq"
        where.append(before)
    order = "finished_at DESC, seq DESC" if query.dead else "seq DESC"
    limit = min(max(query.limit, 1), _LARGEST)
    params["limit"] = limit + 1
    text = f"{SELECT} WHERE {' AND '.join(where)} ORDER BY {order} LIMIT :limit"
    rows = conn.execute(text, params).fetchall()
    records = tuple(record_of(row) for row in rows[:limit])
    if len(rows) <= limit:
        return Page(records)
    at = records[-1].finished_at if query.dead else records[-1].created_at
    return Page(records, f"{at!r}:{rows[limit - 1][0]}")


def _position(cursor: str) -> tuple[float, int]:
    """Reads a cursor."""
    at, _, seq = cursor.partition(":")
    try:
        return float(at), int(seq)
    except ValueError:
        msg = f"{cursor!r} is not a cursor: pass on the `cursor` of the page before, unchanged"
        raise ConfigError(msg) from None
