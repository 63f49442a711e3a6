"""arq: a key for each running task, which ends some time after the task's own time limit."""

from __future__ import annotations

from typing import Any, Self

from arq import create_pool, func
from arq.connections import RedisSettings
from arq.jobs import Job
from witness import KEPT, LIMIT, SLOTS, TRIES, URL, work_in_loop

SETTINGS = RedisSettings.from_dsn(URL)


async def work(_: Any, number: int, seconds: float) -> Any:
    return await work_in_loop(number, seconds)


class WorkerSettings:
    functions = (func(work, name="work"),)
    redis_settings = SETTINGS
    max_jobs = SLOTS
    job_timeout = LIMIT
    max_tries = TRIES
    keep_result = KEPT
    poll_delay = 0.05


class Client:
    async def __aenter__(self) -> Self:
        self._pool = await create_pool(SETTINGS)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.aclose()

    async def add(self, number: int, seconds: float) -> str:
        job = await self._pool.enqueue_job("work", number, seconds)
        assert job is not None, "arq knows this id already"
        return str(job.job_id)

    async def end(self, task_id: str) -> Any:
        done = await Job(task_id, self._pool).result_info()
        if done is None:
            return None
        return ["success", done.result] if done.success else ["dead", repr(done.result)]
