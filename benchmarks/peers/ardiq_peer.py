"""ArdiQ: a Rust core on streams; it prefetches 256 tasks instead of twice its slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ardiq import Ardiq

from peers.bodies import COROUTINES
from peers.ledger import SLOTS, URL

if TYPE_CHECKING:
    from collections.abc import Iterable

app = Ardiq(URL or None, concurrency=SLOTS, prefetch=256, result_ttl_ms=3_600_000)
tasks = {kind: app.task(name=kind)(body) for kind, body in COROUTINES.items()}


class Producer:
    """Adds tasks, and reads their results."""

    blocking = False

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def one(self, kind: str, number: int, text: str) -> Any:
        return await tasks[kind].enqueue(number, text)

    async def bulk(self, kind: str, arguments: Iterable[tuple[int, str]]) -> list[Any]:
        return list(await app.enqueue_many([tasks[kind].prepare(*one) for one in arguments]))

    async def result(self, job: Any) -> object:
        done = await job.result(timeout=60)
        return done.value if done else None

    def id(self, job: Any) -> str:
        return str(job.id)

    async def result_of(self, task_id: str) -> object:
        done = await app.result(task_id, timeout=60)
        return done.value if done else None


if __name__ == "__main__":
    import uvloop

    uvloop.run(app.run())
