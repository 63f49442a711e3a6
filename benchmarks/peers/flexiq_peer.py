"""FlexiQ: a Rust core on SQLite; it claims 64 tasks at once and looks for more every 5 ms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flexiq import Queue

from peers.bodies import FUNCTIONS
from peers.ledger import SLOTS, URL

if TYPE_CHECKING:
    from collections.abc import Iterable

queue = Queue(
    db_path=urlsplit(URL).path or "flexiq.db",
    workers=SLOTS,
    result_ttl=3600,
    scheduler_batch_size=64,
    scheduler_poll_interval_ms=5,
)
tasks: dict[str, Any] = {kind: queue.task(name=kind)(body) for kind, body in FUNCTIONS.items()}


class Producer:
    """Adds tasks, and reads their results."""

    blocking = True

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def one(self, kind: str, number: int, text: str) -> Any:
        return tasks[kind].delay(number, text)

    def bulk(self, kind: str, arguments: Iterable[tuple[int, str]]) -> list[Any]:
        return list(tasks[kind].map(list(arguments)))

    def result(self, job: Any) -> object:
        return job.result(timeout=60, poll_interval=0.001, max_poll_interval=0.001)

    def id(self, job: Any) -> str:
        return str(job.id)

    def result_of(self, task_id: str) -> object:
        job = queue.get_job(task_id)
        return job and self.result(job)
