"""taskiq: a stream, acknowledged when the result is stored; it has no bulk call."""

from __future__ import annotations

from typing import Any

from ledger import URL, note
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

#: Seconds between two looks for a result; the default is 0.2.
CHECK_INTERVAL = 0.001

results: RedisAsyncResultBackend[Any] = RedisAsyncResultBackend(URL, result_ex_time=3600)
broker = RedisStreamBroker(URL, consumer_id="0", xread_count=64).with_result_backend(results)


@broker.task
async def noop(number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    return number


class Producer:
    bulk = None

    async def start(self) -> None:
        await broker.startup()

    async def stop(self) -> None:
        await broker.shutdown()

    async def one(self, number: int, text: str) -> Any:
        return await noop.kiq(number, text)

    async def result(self, handle: Any) -> object:
        done = await handle.wait_result(check_interval=CHECK_INTERVAL, timeout=60)
        return done.return_value

    def id(self, handle: Any) -> str:
        return str(handle.task_id)

    async def result_of(self, task_id: str) -> object:
        return (await results.get_result(task_id)).return_value
