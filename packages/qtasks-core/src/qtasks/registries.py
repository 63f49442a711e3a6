"""The task objects."""

from qtasks.app.awaitable_task import AsyncTask
from qtasks.app.blocking_task import SyncTask

__all__ = ["AsyncTask", "SyncTask"]


def __dir__() -> list[str]:
    return __all__
