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

from qtasks._version import __version__
from qtasks.app.awaitable import AsyncTask
from qtasks.app.blocking import QueueTasks, SyncTask

__all__ = ["AsyncTask", "QueueTasks", "SyncTask", "__version__"]


def __dir__() -> list[str]:
    return __all__
