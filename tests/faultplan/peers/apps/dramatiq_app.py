"""dramatiq: workers send heartbeats; now and then a command looks for workers that send none."""

from __future__ import annotations

from typing import Any, Self

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import ResultFailure, ResultMissing, Results
from dramatiq.results.backends import RedisBackend
from witness import KEPT, LEASE, TRIES, URL, work_in_thread

results = RedisBackend(url=URL)
# One command in ten looks, instead of one in a thousand.
broker = RedisBroker(url=URL, heartbeat_timeout=round(LEASE * 1000), maintenance_chance=100_000)
broker.add_middleware(Results(backend=results, store_results=True, result_ttl=KEPT * 1000))
dramatiq.set_broker(broker)


@dramatiq.actor(max_retries=TRIES)
def work(number: int, seconds: float) -> Any:
    return work_in_thread(number, seconds)


class Client:
    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        broker.close()

    async def add(self, number: int, seconds: float) -> str:
        return str(work.send(number, seconds).message_id)

    async def end(self, task_id: str) -> Any:
        message = work.message(0, 0).copy(message_id=task_id)  # the key is made from names and id
        try:
            return ["success", results.get_result(message)]
        except ResultMissing:
            return None
        except ResultFailure as error:
            return ["dead", repr(error)]
