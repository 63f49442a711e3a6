"""celery: prefork, late acknowledgement; what is not acknowledged in time comes back."""

from __future__ import annotations

import os
from typing import Any, Self

from celery import Celery
from witness import KEPT, LEASE, SLOTS, URL, work_in_thread

app = Celery("celery_app", broker=URL, backend=URL)
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": LEASE,
        "unacked_mutex_expire": round(LEASE),
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    },
    result_expires=KEPT,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
)


@app.task(name="work")
def work(number: int, seconds: float) -> Any:
    return work_in_thread(number, seconds)


class Client:
    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        app.close()

    async def add(self, number: int, seconds: float) -> str:
        return str(work.delay(number, seconds).id)

    async def end(self, task_id: str) -> Any:
        found = app.backend.get_task_meta(task_id, cache=False)
        match found["status"]:
            case "SUCCESS":
                return ["success", found["result"]]
            case "FAILURE" | "REVOKED":
                return ["dead", repr(found["result"])]
            case _:
                return None


if __name__ == "__main__":
    # Workers of one machine must have different names, and the command line knows no number.
    name = f"--hostname={os.getpid()}@%h"
    app.worker_main(
        ["worker", "--pool=prefork", f"--concurrency={SLOTS}", "--loglevel=WARNING", name]
    )
