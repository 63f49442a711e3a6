"""The classes a task's ``executor=`` derives from."""

from qtasks.contracts.executor import AsyncTaskExecutor, BaseTaskExecutor, SyncTaskExecutor

__all__ = ["AsyncTaskExecutor", "BaseTaskExecutor", "SyncTaskExecutor"]


def __dir__() -> list[str]:
    return __all__
