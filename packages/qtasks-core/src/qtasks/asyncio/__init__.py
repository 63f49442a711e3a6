"""The app for asynchronous code: ``from qtasks.asyncio import QueueTasks``."""

from qtasks.app.awaitable import AsyncTask, AsyncTaskHandle, QueueTasks

__all__ = ["AsyncTask", "AsyncTaskHandle", "QueueTasks"]


def __dir__() -> list[str]:
    return __all__
