"""dramatiq: messages acknowledged after the run, results stored by its middleware.

Its guide advises threads for waiting and a larger prefetch for short tasks; Prometheus is left out.
Its calls block, so 32 at a time is a loop here.
"""

from __future__ import annotations

import os
from typing import Any

from catalogue import SLOTS
from ledger import URL, note

os.environ.setdefault("dramatiq_queue_prefetch", str(2 * SLOTS))  # read when it is imported

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

results = RedisBackend(url=URL)
broker = RedisBroker(url=URL)
broker.add_middleware(Results(backend=results, result_ttl=3_600_000, store_results=True))
dramatiq.set_broker(broker)


@dramatiq.actor
def noop(number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    return number


class Producer:
    bulk = None

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        broker.close()

    async def one(self, number: int, text: str) -> Any:
        return noop.send(number, text)

    async def result(self, message: Any) -> object:
        return message.get_result(backend=results, block=True, timeout=60_000)

    def id(self, message: Any) -> str:
        return str(message.message_id)

    async def result_of(self, task_id: str) -> object:
        message = noop.message().copy(message_id=task_id)
        return message.get_result(backend=results, block=True, timeout=60_000)
