"""SAQ: lists, with jobs that may run as long as they like; it has no bulk call.

The sweep that a worker begins with takes a job that was handed out an instant before for a stuck
one, and the job runs twice.
So a sweep is made before the first job is handed out; the next one comes a minute later.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from saq import Queue, Worker

from peers.bodies import COROUTINES, plain
from peers.ledger import SLOTS, URL

if TYPE_CHECKING:
    from collections.abc import Callable

queue = Queue.from_url(URL or "redis://localhost")


def with_context(body: Callable[..., Any]) -> Callable[..., Any]:
    """Takes SAQ's context from before the arguments."""

    async def run(_context: Any, *, number: int, text: str) -> Any:
        return await body(number, text)

    return run


def plain_with_context(_context: Any, *, number: int, text: str) -> int:
    return plain(number, text)


async def sweep_first(_context: Any) -> None:
    await queue.sweep()


class Producer:
    """Adds tasks, and reads their results."""

    blocking = False
    bulk = None

    async def start(self) -> None:
        await queue.connect()

    async def stop(self) -> None:
        await queue.disconnect()

    async def one(self, kind: str, number: int, text: str) -> Any:
        return await queue.enqueue(kind, number=number, text=text, timeout=0, ttl=3600, retries=3)

    async def result(self, job: Any) -> object:
        # A job that ends between a look at it and the subscription is waited for in vain.
        for _ in range(60):
            with contextlib.suppress(TimeoutError):
                await job.refresh(until_complete=1)
                break
        return job.result

    def id(self, job: Any) -> str:
        return str(job.key)

    async def result_of(self, task_id: str) -> object:
        job = await queue.job(task_id)
        return job and job.result


async def main() -> None:
    functions: list[Any] = [(kind, with_context(body)) for kind, body in COROUTINES.items()]
    functions = [one for one in functions if one[0] != "plain"] + [("plain", plain_with_context)]
    worker = Worker(
        queue, functions=functions, concurrency=SLOTS, dequeue_timeout=1, startup=sweep_first
    )
    await worker.start()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
