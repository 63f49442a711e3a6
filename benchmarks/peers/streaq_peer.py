"""streaq: streams and a prefetch of twice the slots; `enqueue_many` is its own bulk call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalogue import SLOTS
from ledger import URL, note
from streaq import Worker

if TYPE_CHECKING:
    from collections.abc import Iterable

worker: Worker[None] = Worker(
    redis_url=URL, concurrency=SLOTS, prefetch=2 * SLOTS, anyio_kwargs={"use_uvloop": True}
)


@worker.task(ttl=3600)
async def noop(number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    return number


class Producer:
    async def start(self) -> None:
        await worker.__aenter__()

    async def stop(self) -> None:
        await worker.__aexit__(None, None, None)

    async def one(self, number: int, text: str) -> Any:
        return await noop.enqueue(number, text)

    async def bulk(self, arguments: Iterable[tuple[int, str]]) -> list[Any]:
        tasks = [noop.enqueue(*one) for one in arguments]
        await worker.enqueue_many(tasks)
        return tasks

    async def result(self, task: Any) -> object:
        return (await task.result(timeout=60)).result

    def id(self, task: Any) -> str:
        return str(task.id)

    async def result_of(self, task_id: str) -> object:
        return (await worker.result_by_id(task_id, timeout=60)).result


if __name__ == "__main__":
    worker.run_sync()
