"""The app for asynchronous code: ``from qtasks.asyncio import QueueTasks``."""

from qtasks.app.awaitable import QueueTasks
from qtasks.app.awaitable_task import AsyncTask
from qtasks.app.handles import AsyncTaskHandle

__all__ = ["AsyncTask", "AsyncTaskHandle", "QueueTasks"]


def __dir__() -> list[str]:
    return __all__
