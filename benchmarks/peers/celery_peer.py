"""celery: late acknowledgement and results, threads, and a prefetch of twice the slots."""

from __future__ import annotations

from typing import Any

from celery import Celery

from peers.bodies import FUNCTIONS
from peers.ledger import URL

app = Celery("bench", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=2,
    result_expires=3600,
    task_send_sent_event=False,
    broker_connection_retry_on_startup=True,
)
tasks: dict[str, Any] = {
    kind: app.task(body, name=f"bench.{kind}") for kind, body in FUNCTIONS.items()
}


class Producer:
    """Adds tasks, and reads their results."""

    blocking = True
    bulk = None

    def start(self) -> None:
        pass

    def stop(self) -> None:
        app.close()

    def one(self, kind: str, number: int, text: str) -> Any:
        return tasks[kind].delay(number, text)

    def result(self, handle: Any) -> object:
        return handle.get(timeout=60)

    def id(self, handle: Any) -> str:
        return str(handle.id)

    def result_of(self, task_id: str) -> object:
        return app.AsyncResult(task_id).get(timeout=60)
