"""QTasks as a system under fault."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from faultplan.system import End, Place, Status, Unacknowledged, WorkerSettings
from qtasks import QueueTasks
from qtasks.asyncio import QueueTasks as AsyncQueueTasks
from qtasks.exc import ServerError, WaitTimeoutError
from qtasks.plugins import decode
from qtasks.schemas import CallOptions, TaskCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultplan.system import Job
    from qtasks.schemas import Record

__all__ = ["QTasks", "python_path"]

_APP = Path(__file__).with_name("ours_app.py")
#: Records that are read in one call.
_PAGE = 500
_STATUS: dict[str, Status] = {
    "new": "waiting",
    "retry": "waiting",
    "process": "running",
    "success": "success",
    "error": "dead",
    "cancel": "cancelled",
}


class QTasks:
    """The system; see `faultplan.system.System`."""

    name = "qtasks"

    def worker(self, place: Place, settings: WorkerSettings) -> tuple[list[str], dict[str, str]]:
        """Returns the command of a worker."""
        environment = {
            "FAULT_BROKER": place.url,
            "FAULT_NOTES": str(place.notes),
            "FAULT_LEASE": str(settings.lease),
            "FAULT_SLOTS": str(settings.slots),
            "FAULT_PROCESSES": str(settings.processes),
            "FAULT_PATIENCE": str(settings.patience),
            "FAULT_LOG": str(place.folder / "workers.log"),
            "PYTHONPATH": python_path(),
            **settings.options,
        }
        return [sys.executable, str(_APP)], environment

    def connect(self, place: Place) -> QTasksSession:
        """Opens a session with an app of its own."""
        return QTasksSession(place.url)


class QTasksSession:
    """The session; see `faultplan.system.Session`.

    Args:
        url: the broker.
    """

    def __init__(self, url: str) -> None:
        self.app = QueueTasks(broker_url=url)

    def enqueue(self, jobs: Sequence[Job]) -> list[str]:
        """Adds tasks in one call."""
        try:
            return [handle.id for handle in self.app.add_tasks(map(_call, jobs))]
        except ServerError as error:
            raise Unacknowledged(str(error)) from error

    def ends(self, ids: Sequence[str]) -> dict[str, End]:
        """Reads records."""
        found: dict[str, End] = {}
        for start in range(0, len(ids), _PAGE):
            page = ids[start : start + _PAGE]
            records = self.app._run(lambda client, page=page: client.get(page))  # type: ignore[misc]  # bound at once
            found |= {task_id: _end(record) for task_id, record in zip(page, records, strict=True)}
        return found

    def watch(self, ids: Sequence[str], seconds: float) -> int:
        """Awaits handles side by side."""
        return asyncio.run(_watch(self.app.config.broker_url, ids, seconds))

    def unfinished(self) -> int:
        """Adds up the counts of all queues."""
        return sum(found.ready + found.delayed + found.leased for found in self.app.stats())

    def recorded(self) -> int:
        """Adds up the counts of all queues."""
        return sum(found.finished for found in self.app.stats())

    def cancel(self, task_id: str) -> None:
        """Cancels by id."""
        self.app.cancel(task_id, "the plan")

    def close(self) -> None:
        """Closes the app."""
        self.app.close()


async def _watch(url: str, ids: Sequence[str], seconds: float) -> int:
    async with AsyncQueueTasks(broker_url=url) as app:

        async def told(task_id: str) -> bool:
            handle = await app.get(task_id)
            if handle is None:
                return False
            try:
                await handle.wait(seconds)
            except WaitTimeoutError:
                return False
            return True

        return sum(await asyncio.gather(*map(told, ids)))


def _call(job: Job) -> TaskCall:
    return TaskCall(
        job.task,
        (job.number, *job.arguments),
        options=CallOptions(delay=job.delay or None, task_id=job.key),
    )


def _end(record: Record | None) -> End:
    if record is None:
        return End("missing")
    result = None if record.result is None else decode(record.result)
    status = _STATUS[str(record.status)]
    return End(status, result, record.reason, record.deliveries, record.attempts)


def python_path() -> str:
    """Returns where processes of the plan find this package."""
    here = str(Path(__file__).parents[1])
    return os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
