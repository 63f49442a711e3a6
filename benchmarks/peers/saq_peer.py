"""SAQ: lists, with jobs that may run as long as they like; it has no bulk call."""

from __future__ import annotations

from typing import Any

from catalogue import SLOTS
from ledger import URL, note
from saq import Queue, Worker

queue = Queue.from_url(URL)


async def noop(_context: Any, *, number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    return number


class Producer:
    bulk = None

    async def start(self) -> None:
        await queue.connect()

    async def stop(self) -> None:
        await queue.disconnect()

    async def one(self, number: int, text: str) -> Any:
        return await queue.enqueue("noop", number=number, text=text, timeout=0, ttl=3600)

    async def result(self, job: Any) -> object:
        await job.refresh(until_complete=60)
        return job.result

    def id(self, job: Any) -> str:
        return str(job.key)

    async def result_of(self, task_id: str) -> object:
        job = await queue.job(task_id)
        return job and job.result


if __name__ == "__main__":
    import uvloop

    worker = Worker(queue, functions=[noop], concurrency=SLOTS, dequeue_timeout=1)
    uvloop.run(worker.start())
