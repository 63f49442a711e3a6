"""arq: a sorted set that is polled, every 10 ms instead of 500; its `poll_delay` allows that.

It has no bulk call and runs coroutines alone, so its plain function goes to a thread from inside
one.
"""

from __future__ import annotations

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from arq import create_pool
from arq.connections import RedisSettings
from arq.jobs import Job
from arq.worker import Worker, func

from peers.bodies import COROUTINES, plain
from peers.ledger import SLOTS, URL

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = RedisSettings.from_dsn(URL) if URL else RedisSettings()
#: Seconds between two looks.
POLL = 0.01
threads = ThreadPoolExecutor(SLOTS)


def with_context(body: Callable[..., Any]) -> Callable[..., Any]:
    """Takes arq's context from before the arguments."""

    async def run(_context: Any, number: int, text: str) -> Any:
        return await body(number, text)

    return run


async def in_thread(number: int, text: str) -> int:
    call = functools.partial(plain, number, text)
    return await asyncio.get_running_loop().run_in_executor(threads, call)


class Producer:
    """Adds tasks, and reads their results."""

    blocking = False
    bulk = None

    async def start(self) -> None:
        self._pool = await create_pool(SETTINGS)

    async def stop(self) -> None:
        await self._pool.aclose()

    async def one(self, kind: str, number: int, text: str) -> Any:
        return await self._pool.enqueue_job(kind, number, text)

    async def result(self, job: Any) -> object:
        return await job.result(timeout=60, poll_delay=POLL)

    def id(self, job: Any) -> str:
        return str(job.job_id)

    async def result_of(self, task_id: str) -> object:
        return await Job(task_id, self._pool).result(timeout=60, poll_delay=POLL)


async def main() -> None:
    bodies = COROUTINES | {"plain": in_thread}
    worker = Worker(
        functions=[
            func(with_context(body), name=kind, keep_result=3600) for kind, body in bodies.items()
        ],
        redis_settings=SETTINGS,
        max_jobs=SLOTS,
        poll_delay=POLL,
        queue_read_limit=2 * SLOTS,
    )
    await worker.async_run()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
