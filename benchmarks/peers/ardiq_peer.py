"""ArdiQ: a Rust core; streams, results stored, prefetch as its documentation advises for no-ops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ardiq import Ardiq
from catalogue import SLOTS
from ledger import URL, note

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ardiq.tasks import Job

app = Ardiq(URL, concurrency=SLOTS, prefetch=256, result_ttl_ms=3_600_000)


@app.task
async def noop(number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    return number


class Producer:
    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def one(self, number: int, text: str) -> Job:
        return await noop.enqueue(number, text)

    async def bulk(self, arguments: Iterable[tuple[int, str]]) -> list[Job]:
        return await app.enqueue_many([noop.prepare(*one) for one in arguments])

    async def result(self, job: Job) -> object:
        done = await job.result(timeout=60)
        return done.value if done else None

    def id(self, job: Job) -> str:
        return job.id

    async def result_of(self, task_id: str) -> object:
        done = await app.result(task_id, timeout=60)
        return done.value if done else None


if __name__ == "__main__":
    import uvloop

    uvloop.run(app.run())
