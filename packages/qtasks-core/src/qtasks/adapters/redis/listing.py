"""Pages of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtasks.adapters.redis.records import record_of
from qtasks.adapters.redis.times import micros
from qtasks.exc import ServerError
from qtasks.schemas import Page, Record, RecordQuery

if TYPE_CHECKING:
    from qtasks.adapters.redis.engine import Engine

__all__ = ["list_records"]

_LARGEST: Final = 1000
#: Tasks that one script looks at, so that the server answers others in between.
_SCAN: Final = 500


async def list_records(engine: Engine, query: RecordQuery) -> Page:
    """Returns one page, newest first: dead letters by their end, others by their beginning.

    Raises:
        ServerError: the cursor did not come from an earlier page.
    """
    limit = min(max(query.limit, 1), _LARGEST)
    cursor = None if query.cursor is None else _position(query.cursor)
    found: list[tuple[int, Record]] = []
    for shard in await engine.shards():
        found += await _from_shard(engine, shard, query, cursor, limit + 1)
    # Places are times, so they order what comes from several shards too.
    found.sort(key=lambda pair: -pair[0])
    shown = found[:limit]
    more = len(found) > limit
    return Page(tuple(record for _, record in shown), str(shown[-1][0]) if more else None)


async def _from_shard(
    engine: Engine, shard: str, query: RecordQuery, cursor: int | None, limit: int
) -> list[tuple[int, Record]]:
    """Returns the first ``limit`` records of one shard with their places."""
    found: list[tuple[int, Record]] = []
    asked = _asked(query)
    while len(found) < limit:
        asked |= {"cursor": False if cursor is None else cursor, "limit": limit - len(found)}
        cursor, answer = await engine.repeat("list", shard, asked)
        for start in range(0, len(answer), 3):
            id_, place, fields = answer[start : start + 3]
            record = record_of(id_.decode(), fields)
            if query.task in {None, record.task}:
                found.append((int(place), record))
        if cursor < 0:
            break
    return found


def _asked(query: RecordQuery) -> dict[str, Any]:
    """Returns a query as the script takes it; the name of the task is in the message, so here."""
    return {
        "scan": _SCAN,
        "status": False if query.status is None else str(query.status),
        "queue": False if query.queue is None else query.queue,
        "dead_given": query.dead is not None,
        "dead": bool(query.dead),
        "reason": False if query.reason is None else query.reason,
        "error_type": False if query.error_type is None else query.error_type,
        "error": False if query.error is None else query.error,
        "since": False if query.since is None else micros(query.since),
        "until": False if query.until is None else micros(query.until),
    }


def _position(cursor: str) -> int:
    """Reads a cursor."""
    try:
        return int(cursor)
    except ValueError:
        msg = f"{cursor!r} is not a cursor: pass on the `cursor` of the page before, unchanged"
        raise ServerError(msg) from None
