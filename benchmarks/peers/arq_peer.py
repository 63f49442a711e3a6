"""arq: a sorted set that is polled; 10 ms between looks instead of 500, as its settings allow."""

from __future__ import annotations

from typing import Any

from arq import create_pool
from arq.connections import RedisSettings
from arq.jobs import Job
from arq.worker import Worker, func
from catalogue import SLOTS
from ledger import URL, note

SETTINGS = RedisSettings.from_dsn(URL) if URL else RedisSettings()
#: Seconds between two looks.
POLL = 0.01


async def noop(_context: Any, number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    return number


class Producer:
    bulk = None

    async def start(self) -> None:
        self._pool = await create_pool(SETTINGS)

    async def stop(self) -> None:
        await self._pool.aclose()

    async def one(self, number: int, text: str) -> Any:
        return await self._pool.enqueue_job("noop", number, text)

    async def result(self, job: Any) -> object:
        return await job.result(timeout=60, poll_delay=POLL)

    def id(self, job: Any) -> str:
        return str(job.job_id)

    async def result_of(self, task_id: str) -> object:
        return await Job(task_id, self._pool).result(timeout=60, poll_delay=POLL)


if __name__ == "__main__":
    import uvloop

    async def main() -> None:
        worker = Worker(
            functions=[func(noop, keep_result=3600)],
            redis_settings=SETTINGS,
            max_jobs=SLOTS,
            poll_delay=POLL,
            queue_read_limit=2 * SLOTS,
        )
        await worker.async_run()

    uvloop.run(main())
