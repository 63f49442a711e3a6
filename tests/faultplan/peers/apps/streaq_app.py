"""streaq: streams, whose entries a worker renews as long as it lives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self

from streaq import Worker
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
        # Its own call subscribes to each result, which takes too long for thousands.
        stored = await worker.redis.get(worker.results_key + task_id)
        if stored is None:
            return None
        done = await worker.deserialize(stored)
        return ["success", done["r"]] if done["s"] else ["dead", repr(done["r"])]


if __name__ == "__main__":
    worker.run_sync()
