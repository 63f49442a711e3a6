"""RQ: its SimpleWorker, which runs one job at a time without a fork; `enqueue_many` is its bulk.

With `Retry` a job whose worker died runs again; without, it is given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis import Redis
from rq import Queue, Retry, SimpleWorker
from rq.job import Job

from peers.bodies import FUNCTIONS
from peers.ledger import URL

if TYPE_CHECKING:
    from collections.abc import Iterable

connection = Redis.from_url(URL or "redis://localhost")
queue = Queue(connection=connection)
#: RQ finds a function by its path.
paths = {kind: f"peers.bodies.{body.__name__}" for kind, body in FUNCTIONS.items()}
again = Retry(max=3)


class Producer:
    """Adds tasks, and reads their results."""

    blocking = True

    def start(self) -> None:
        pass

    def stop(self) -> None:
        connection.close()

    def one(self, kind: str, number: int, text: str) -> Any:
        return queue.enqueue(paths[kind], number, text, result_ttl=3600, retry=again)

    def bulk(self, kind: str, arguments: Iterable[tuple[int, str]]) -> list[Any]:
        made = [
            Queue.prepare_data(paths[kind], one, result_ttl=3600, retry=again) for one in arguments
        ]
        return list(queue.enqueue_many(made))

    def result(self, job: Any) -> object:
        done = job.latest_result(timeout=60)
        return done and done.return_value

    def id(self, job: Any) -> str:
        return str(job.id)

    def result_of(self, task_id: str) -> object:
        return self.result(Job.fetch(task_id, connection=connection))


if __name__ == "__main__":
    SimpleWorker([queue], connection=connection).work(logging_level="WARNING")
