"""What people and exporters may read of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.exc import ServerError
from qtasks.schemas import Page, QueueStats

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtasks.adapters.memory.row import Row
    from qtasks.adapters.memory.store import Store
    from qtasks.schemas import RecordQuery

__all__ = ["MAX_PAGE", "page", "stats"]

#: The largest page.
MAX_PAGE = 1000


def page(store: Store, query: RecordQuery) -> Page:
    """Returns one page of records, newest first; see :meth:`BaseStorage.list`.

    Raises:
        ServerError: the cursor is not one of ours.
    """
    limit = max(1, min(query.limit, MAX_PAGE))
    before = None if query.cursor is None else position(query.cursor, query)
    found: list[Row] = []
    for row in candidates(store, query):
        if (before is None or place(row, query) < before) and matches(row, query):
            found.append(row)
            if len(found) > limit:
                break
    more = len(found) > limit
    found = found[:limit]
    records = tuple(row.record() for row in found)
    return Page(records, ":".join(map(repr, place(found[-1], query))) if more else None)


def place(row: Row, query: RecordQuery) -> tuple[float, int]:
    """Returns where a row stands in a list: dead letters by their end, others by creation."""
    return (row.finished_at or 0.0 if query.dead else 0.0, row.seq)


def position(cursor: str, query: RecordQuery) -> tuple[float, int]:
    """Returns the place that a cursor stands for."""
    at, _, seq = cursor.partition(":")
    try:
        return float(at) if query.dead else 0.0, int(seq)
    except ValueError as error:
        msg = f"{cursor!r} is not a cursor; pass on the one of the page before"
        raise ServerError(msg) from error


def candidates(store: Store, query: RecordQuery) -> Iterable[Row]:
    """Lists the rows that may match, newest first."""
    if query.dead:
        return sorted(store.died.values(), key=lambda row: place(row, query), reverse=True)
    return reversed(store.rows.values())


def matches(row: Row, query: RecordQuery) -> bool:
    """Tells whether a row is what was asked for."""
    return (
        query.status in {None, row.status}
        and query.queue in {None, row.queue}
        and query.task in {None, row.message.task}
        and query.dead in {None, row.dead}
        and query.reason in {None, row.reason}
        and (query.error_type is None or failed_with(row, query.error_type))
        and (query.error is None or failed_with(row, query.error) or says(row, query.error))
        and (query.since is None or moment(row, query) >= query.since)
        and (query.until is None or moment(row, query) < query.until)
    )


def failed_with(row: Row, name: str) -> bool:
    """Tells whether the last failure was of a type, given qualified or bare."""
    return row.error is not None and name in {row.error.type, row.error.type.rpartition(".")[2]}


def says(row: Row, text: str) -> bool:
    """Tells whether a text is in the message of the last failure."""
    return row.error is not None and text in row.error.message


def moment(row: Row, query: RecordQuery) -> float:
    """Returns the time that ``since`` and ``until`` are about."""
    return (row.finished_at or 0.0) if query.dead else row.created_at


def stats(store: Store, queue: str, now: float) -> QueueStats:
    """Counts the tasks of a queue; see :meth:`BaseBroker.stats`."""
    paused = queue in store.paused
    scheduled = [row.due_at for row in store.schedule.rows() if row.queue == queue]
    lanes = store.queues.get(queue)
    if lanes is None:
        return QueueStats(queue, paused=paused)
    lanes.promote(now)
    due = [when for when in scheduled if when <= now]
    oldest = min((when for when in (lanes.oldest(), *due) if when is not None), default=None)
    later = (lanes.delayed.first(), *(when for when in scheduled if when > now))
    next_due = min((when for when in later if when is not None), default=None)
    leased_at = store.leased_since(queue)
    return QueueStats(
        queue,
        ready=lanes.ready() + len(due),
        delayed=len(lanes.delayed) + len(scheduled) - len(due),
        leased=lanes.leased,
        dead=lanes.dead,
        paused=paused,
        oldest_ready_age=None if oldest is None else now - oldest,
        oldest_lease_age=None if leased_at is None else now - leased_at,
        next_due_in=None if next_due is None else next_due - now,
        finished=lanes.finished,
        dropped=lanes.dropped,
    )
