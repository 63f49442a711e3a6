"""dramatiq: messages acknowledged after the run, results stored by its middleware.

It fetches up to twice as many messages as it has threads, which is its default.
"""

from __future__ import annotations

from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from peers.bodies import FUNCTIONS
from peers.ledger import URL

_url = URL or "redis://localhost"
results = RedisBackend(url=_url)
broker = RedisBroker(url=_url)
broker.add_middleware(Results(backend=results, result_ttl=3_600_000, store_results=True))
dramatiq.set_broker(broker)
tasks: dict[str, Any] = {
    kind: dramatiq.actor(body, actor_name=kind) for kind, body in FUNCTIONS.items()
}


class Producer:
    """Adds tasks, and reads their results."""

    blocking = True
    bulk = None

    def start(self) -> None:
        pass

    def stop(self) -> None:
        broker.close()

    def one(self, kind: str, number: int, text: str) -> Any:
        return tasks[kind].send(number, text)

    def result(self, message: Any) -> object:
        return message.get_result(backend=results, block=True, timeout=60_000)

    def id(self, message: Any) -> str:
        # The results of a message are found by its id, its queue and its actor.
        return f"{message.actor_name}/{message.message_id}"

    def result_of(self, task_id: str) -> object:
        kind, _, message_id = task_id.partition("/")
        message = tasks[kind].message().copy(message_id=message_id)
        return message.get_result(backend=results, block=True, timeout=60_000)
