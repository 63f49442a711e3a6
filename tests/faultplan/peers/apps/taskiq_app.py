"""taskiq: a stream of taskiq-redis, acknowledged when the result is stored."""

from __future__ import annotations

from typing import Any, Self

from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker
from taskiq_redis.exceptions import ResultIsMissingError
from witness import KEPT, LEASE, SLOTS, URL, work_in_loop

results: RedisAsyncResultBackend[Any] = RedisAsyncResultBackend(URL, result_ex_time=KEPT)
broker = RedisStreamBroker(
    URL,
    consumer_id="0",
    idle_timeout=round(LEASE * 1000),
    unacknowledged_lock_timeout=2,
    xread_count=SLOTS,
).with_result_backend(results)


@broker.task(task_name="work")
async def work(number: int, seconds: float) -> Any:
    return await work_in_loop(number, seconds)


class Client:
    async def __aenter__(self) -> Self:
        await broker.startup()
        return self

    async def __aexit__(self, *_: object) -> None:
        await broker.shutdown()

    async def add(self, number: int, seconds: float) -> str:
        return str((await work.kiq(number, seconds)).task_id)

    async def end(self, task_id: str) -> Any:
        try:
            done = await results.get_result(task_id)
        except ResultIsMissingError:
            return None
        return ["dead", repr(done.error)] if done.is_err else ["success", done.return_value]
