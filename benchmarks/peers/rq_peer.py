"""RQ: its SimpleWorker, which runs one job at a time without a fork; `enqueue_many` is its bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger import URL, note
from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Job

if TYPE_CHECKING:
    from collections.abc import Iterable

connection = Redis.from_url(URL or "redis://")
queue = Queue(connection=connection)


def noop(number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    return number


class Producer:
    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        connection.close()

    async def one(self, number: int, text: str) -> Any:
        return queue.enqueue("rq_peer.noop", number, text, result_ttl=3600)

    async def bulk(self, arguments: Iterable[tuple[int, str]]) -> list[Any]:
        made = [Queue.prepare_data("rq_peer.noop", one, result_ttl=3600) for one in arguments]
        return queue.enqueue_many(made)

    async def result(self, job: Any) -> object:
        done = job.latest_result(timeout=60)
        return done and done.return_value

    def id(self, job: Any) -> str:
        return str(job.id)

    async def result_of(self, task_id: str) -> object:
        done = Job.fetch(task_id, connection=connection).latest_result(timeout=60)
        return done and done.return_value


if __name__ == "__main__":
    # The tasks are found by name, in a module that is not __main__.
    SimpleWorker([queue], connection=connection).work(logging_level="WARNING")
