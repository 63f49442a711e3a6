"""streaq: streams, whose entries a worker renews as long as it lives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self

from streaq import Worker
from streaq.task import TaskStatus
from witness import KEPT, LEASE, SLOTS, TRIES, URL, work_in_loop

worker = Worker(redis_url=URL, concurrency=SLOTS, prefetch=SLOTS, idle_timeout=LEASE)


@worker.task(max_tries=TRIES, ttl=timedelta(seconds=KEPT))
async def work(number: int, seconds: float) -> Any:
    return await work_in_loop(number, seconds)


class Client:
    async def __aenter__(self) -> Self:
        await worker.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await worker.__aexit__(*error)

    async def add(self, number: int, seconds: float) -> str:
        return str((await work.enqueue(number, seconds)).id)

    async def end(self, task_id: str) -> Any:
        if await worker.status_by_id(task_id) != TaskStatus.DONE:
            return None
        done = await worker.result_by_id(task_id, timeout=10)
        return ["success", done.result] if done.success else ["dead", repr(done.exception)]


if __name__ == "__main__":
    worker.run_sync()
