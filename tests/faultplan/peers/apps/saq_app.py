"""SAQ: a sweeper takes back what has run for longer than its time limit."""

from __future__ import annotations

from typing import Any, Self

from saq import Queue, Status
from witness import KEPT, LIMIT, SLOTS, TRIES, URL, work_in_loop

queue = Queue.from_url(URL)


async def work(_: Any, *, number: int, seconds: float) -> Any:
    return await work_in_loop(number, seconds)


settings = {
    "queue": queue,
    "functions": [work],
    "concurrency": SLOTS,
    "timers": {"sweep": 2},
}


class Client:
    async def __aenter__(self) -> Self:
        await queue.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await queue.disconnect()

    async def add(self, number: int, seconds: float) -> str:
        job = await queue.enqueue(
            "work", number=number, seconds=seconds, timeout=LIMIT, retries=TRIES, ttl=KEPT
        )
        assert job is not None, "SAQ knows this key already"
        return job.key

    async def end(self, task_id: str) -> Any:
        job = await queue.job(task_id)
        if job is None or job.status not in {Status.COMPLETE, Status.FAILED, Status.ABORTED}:
            return None
        return ["success" if job.status == Status.COMPLETE else "dead", job.result]
