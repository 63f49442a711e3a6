"""streaq: streams, uvloop, and a prefetch of twice the slots; `enqueue_many` is its bulk call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streaq import Worker

from peers.bodies import COROUTINES
from peers.ledger import SLOTS, URL

if TYPE_CHECKING:
    from collections.abc import Iterable

worker: Any = Worker(
    redis_url=URL or "redis://localhost",
    concurrency=SLOTS,
    sync_concurrency=SLOTS,
    prefetch=2 * SLOTS,
    anyio_kwargs={"use_uvloop": True},
)
tasks = {
    kind: worker.task(name=kind, ttl=3600, silent=True)(body) for kind, body in COROUTINES.items()
}


class Producer:
    """Adds tasks, and reads their results."""

    blocking = False

    async def start(self) -> None:
        await worker.__aenter__()

    async def stop(self) -> None:
        await worker.__aexit__(None, None, None)

    async def one(self, kind: str, number: int, text: str) -> Any:
        return await tasks[kind].enqueue(number, text)

    async def bulk(self, kind: str, arguments: Iterable[tuple[int, str]]) -> list[Any]:
        added = [tasks[kind].enqueue(*one) for one in arguments]
        await worker.enqueue_many(added)
        return added

    async def result(self, task: Any) -> object:
        return (await task.result(timeout=60)).result

    def id(self, task: Any) -> str:
        return str(task.id)

    async def result_of(self, task_id: str) -> object:
        return (await worker.result_by_id(task_id, timeout=60)).result


if __name__ == "__main__":
    worker.run_sync()
