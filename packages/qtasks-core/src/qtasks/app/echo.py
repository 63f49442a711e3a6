"""What echo tasks get as their first argument: the running task, in the function's own colour.

A coroutine awaits its calls and a plain function blocks its thread, whichever app runs them. So
an app is seen through a twin of the other colour, which shares all it has but the way to the
servers.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from qtasks._runtime.bridge import HopToLoop
from qtasks.app import awaitable, blocking
from qtasks.app.awaitable_task import AsyncTask
from qtasks.app.blocking_task import SyncTask
from qtasks.app.twins import AwaitableTwin, BlockingTwin
from qtasks.contracts.context import AsyncContext, SyncContext

if TYPE_CHECKING:
    from qtasks._worker.runs import Run
    from qtasks.app.base import BaseQueueTasks
    from qtasks.schemas import TaskDefinition

__all__ = ["Echo"]


class Echo:
    """Makes the first argument of echo tasks, for one worker of an app.

    Args:
        app: the app that runs the tasks.
    """

    def __init__(self, app: BaseQueueTasks) -> None:
        self._app = app
        self._awaitable: AwaitableTwin | None = None
        self._blocking: BlockingTwin | None = None
        self._tasks: dict[str, AsyncTask[..., Any, Any] | SyncTask[..., Any, Any]] = {}

    def make(self, run: Run) -> AsyncTask[..., Any, Any] | SyncTask[..., Any, Any]:
        """Returns the running task; only on the worker's loop."""
        task = self._tasks.get(run.task.name)
        if task is None:
            task = self._tasks[run.task.name] = self._task(run.task)
        if isinstance(task, AsyncTask):
            return task._running(AsyncContext(run, task.app))  # noqa: SLF001 - one concept in two modules
        return task._running(SyncContext(run, task.app))  # noqa: SLF001 - as above

    def context(self, run: Run, *, is_async: bool) -> AsyncContext | SyncContext:
        """Returns the context of a run, in a colour; only on the worker's loop."""
        if is_async:
            return AsyncContext(run, self._awaitable_app())
        return SyncContext(run, self._blocking_app())

    def _task(self, task: TaskDefinition) -> AsyncTask[..., Any, Any] | SyncTask[..., Any, Any]:
        if task.is_async:
            return AsyncTask(task, self._awaitable_app())
        return SyncTask(task, self._blocking_app())

    def _awaitable_app(self) -> awaitable.QueueTasks:
        if isinstance(self._app, awaitable.QueueTasks):
            return self._app
        if self._awaitable is None:
            self._awaitable = AwaitableTwin(self._app)
        return self._awaitable

    def _blocking_app(self) -> blocking.QueueTasks:
        if isinstance(self._app, blocking.QueueTasks):
            return self._app
        if self._blocking is None:
            self._blocking = BlockingTwin(self._app, HopToLoop(asyncio.get_running_loop()))
        return self._blocking

    async def close(self) -> None:
        """Closes the connections of the twins; both are made anew when they are needed again."""
        if self._awaitable is not None:
            await self._awaitable.leave()
        if self._blocking is not None:
            await self._blocking.leave()
        self._awaitable = self._blocking = None
        self._tasks.clear()
