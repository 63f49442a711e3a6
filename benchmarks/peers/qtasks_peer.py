"""QTasks: as it comes, with as many slots as the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalogue import SLOTS
from ledger import URL, note

from qtasks.asyncio import QueueTasks
from qtasks.configs import QueueConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

app = QueueTasks(broker_url=URL, config=QueueConfig(max_tasks_process=SLOTS, prefetch=256))


@app.task
async def noop(number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    return number


class Producer:
    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        await app.close()

    async def one(self, number: int, text: str) -> Any:
        return await noop.add_task(number, text)

    async def bulk(self, arguments: Iterable[tuple[int, str]]) -> list[Any]:
        return await app.add_tasks(noop.build(*one) for one in arguments)

    async def result(self, handle: Any) -> object:
        return await handle.result(timeout=60)

    def id(self, handle: Any) -> str:
        return str(handle.id)

    async def result_of(self, task_id: str) -> object:
        handle = await app.get(task_id)
        return handle and handle.returning
