"""celery: late acknowledgement and results, threads, and a prefetch of twice the slots.

Its calls block, so 32 at a time is a loop here; its guide advises against a group for many tasks.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from ledger import URL, note

app = Celery("celery_peer", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=2,
    result_expires=3600,
    task_send_sent_event=False,
    broker_connection_retry_on_startup=True,
)


@app.task
def noop(number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    return number


class Producer:
    bulk = None

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        app.close()

    async def one(self, number: int, text: str) -> Any:
        return noop.delay(number, text)

    async def result(self, handle: Any) -> object:
        return handle.get(timeout=60)

    def id(self, handle: Any) -> str:
        return str(handle.id)

    async def result_of(self, task_id: str) -> object:
        return app.AsyncResult(task_id).get(timeout=60)
