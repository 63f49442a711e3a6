"""QTasks: a task queue whose core is small and whose behaviour is plugins.

::

    from qtasks import QueueTasks

    app = QueueTasks()

    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    add.add_task(1, 2)              # queued; `qtasks -A module:app run` runs it

``qtasks.asyncio`` has the same app for asynchronous code.
"""

from qtasks._builtin.depends.dependency import Depends
from qtasks._version import __version__
from qtasks.app.awaitable_task import AsyncTask
from qtasks.app.blocking import QueueTasks
from qtasks.app.blocking_task import SyncTask
from qtasks.app.handles import TaskHandle
from qtasks.app.router import AsyncRouter, Router, SyncRouter
from qtasks.app.shared import shared_task
from qtasks.contracts.injected import INJECTED
from qtasks.schemas import Unique

__all__ = [
    "INJECTED",
    "AsyncRouter",
    "AsyncTask",
    "Depends",
    "QueueTasks",
    "Router",
    "SyncRouter",
    "SyncTask",
    "TaskHandle",
    "Unique",
    "__version__",
    "shared_task",
]


def __dir__() -> list[str]:
    return __all__
