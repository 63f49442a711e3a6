"""taskiq: a stream, acknowledged when the result is stored; it has no bulk call."""

from __future__ import annotations

from typing import Any

from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from peers.bodies import COROUTINES
from peers.ledger import URL

#: Seconds between two looks for a result; the default is 0.2.
CHECK_INTERVAL = 0.001

_url = URL or "redis://localhost"
results: Any = RedisAsyncResultBackend(_url, result_ex_time=3600)
broker: Any = RedisStreamBroker(_url, consumer_id="0", xread_count=64).with_result_backend(results)
tasks = {kind: broker.task(task_name=kind)(body) for kind, body in COROUTINES.items()}


class Producer:
    """Adds tasks, and reads their results."""

    blocking = False
    bulk = None

    async def start(self) -> None:
        await broker.startup()

    async def stop(self) -> None:
        await broker.shutdown()

    async def one(self, kind: str, number: int, text: str) -> Any:
        return await tasks[kind].kiq(number, text)

    async def result(self, handle: Any) -> object:
        done = await handle.wait_result(check_interval=CHECK_INTERVAL, timeout=60)
        return done.return_value

    def id(self, handle: Any) -> str:
        return str(handle.task_id)

    async def result_of(self, task_id: str) -> object:
        return (await results.get_result(task_id)).return_value
