"""QTasks: as it comes, with as many slots as the others and the prefetch that ArdiQ gets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from peers.bodies import COROUTINES
from peers.ledger import SLOTS, URL
from qtasks.asyncio import QueueTasks
from qtasks.configs import QueueConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

#: On a file, sync it at each commit, so that a power cut loses nothing.
SYNCED = "?durability=power" if os.environ.get("BENCH_VARIANT") == "power" else ""

app = QueueTasks(
    broker_url=URL + SYNCED if URL else "memory://",
    config=QueueConfig(max_tasks_process=SLOTS, prefetch=256),
)
tasks: dict[str, Any] = {kind: app.task(name=kind)(body) for kind, body in COROUTINES.items()}


class Producer:
    """Adds tasks, and reads their results."""

    blocking = False

    async def start(self) -> None:
        await app.stats()  # connects before the time is taken, as some others do

    async def stop(self) -> None:
        await app.close()

    async def one(self, kind: str, number: int, text: str) -> Any:
        return await tasks[kind].add_task(number, text)

    async def bulk(self, kind: str, arguments: Iterable[tuple[int, str]]) -> list[Any]:
        return await app.add_tasks(tasks[kind].build(*one) for one in arguments)

    async def result(self, handle: Any) -> object:
        return await handle.result(timeout=60)

    def id(self, handle: Any) -> str:
        return str(handle.id)

    async def result_of(self, task_id: str) -> object:
        handle = await app.get(task_id)
        return handle and handle.returning
