"""Comparing what a storage knows to wait with what the broker elsewhere has."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from qtasks.schemas import Finding, RecordQuery, TaskStatusEnum

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qtasks.contracts.storage import BaseStorage
    from qtasks.schemas import QueueStats

__all__ = ["stranded", "unfinished"]

#: Of how many tasks of one status it is known that they wait; beyond that they are not counted.
_COUNTED: Final = 200
#: How many old tasks are looked at, and the seconds after which one is old: what was just added
#: may be on its way.
_LOOK: Final = 1000
_OLD: Final = 60.0
#: How many ids a finding names.
_SHOWN: Final = 3


async def unfinished(storage: BaseStorage, queue: str) -> int | None:
    """Returns how many tasks of a queue wait, wherever; None if they are many.

    Args:
        storage: has their records.
        queue: the queue.
    """
    number = 0
    for status in (TaskStatusEnum.NEW, TaskStatusEnum.RETRY):
        page = await storage.list(RecordQuery(status=status, queue=queue, limit=_COUNTED))
        if page.cursor is not None:
            return None
        number += len(page.records)
    return number


async def stranded(
    storage: BaseStorage, stats: Callable[[str], Awaitable[QueueStats]], now: float
) -> list[Finding]:
    """Returns a finding for each queue with tasks that nobody will run.

    They have records, and neither the broker nor the schedule has them: the broker lost them, or
    it never got them and the program that added them did not try again.

    Args:
        storage: has the records.
        stats: counts what waits, at the broker and on the schedule.
        now: seconds since the epoch.
    """
    query = RecordQuery(status=TaskStatusEnum.NEW, until=now - _OLD, limit=_LOOK)
    suspects: defaultdict[str, list[str]] = defaultdict(list)
    for record in (await storage.list(query)).records:
        if record.due_at <= now - _OLD:
            suspects[record.queue].append(record.id)
    found = []
    for queue, ids in sorted(suspects.items()):
        if (await stats(queue)).ready:
            continue
        again = await storage.get(ids)  # some may have begun since
        left = [one.id for one in again if one and one.status == TaskStatusEnum.NEW]
        if left:
            found.append(_finding(queue, left))
    return found


def _finding(queue: str, ids: list[str]) -> Finding:
    many = f"{len(ids)} or more" if len(ids) == _LOOK else str(len(ids))
    return Finding(
        "error",
        f"tasks of {queue}",
        f"{many} task(s) have been accepted and are not at the broker, so nobody will run them:"
        f" {', '.join(ids[:_SHOWN])}{' ...' if len(ids) > _SHOWN else ''}.",
        "Add them again with their task_id, or cancel them: qtasks tasks cancel ID.",
    )
