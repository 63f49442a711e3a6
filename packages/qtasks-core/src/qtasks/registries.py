"""The task objects."""

from qtasks.app.awaitable import AsyncTask
from qtasks.app.blocking import SyncTask

__all__ = ["AsyncTask", "SyncTask"]


def __dir__() -> list[str]:
    return __all__
