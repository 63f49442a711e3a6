"""Closes the database connections of Django that a task should not use any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.plugins import Plugin, on

if TYPE_CHECKING:
    from qtasks.executors import BaseTaskExecutor
    from qtasks.schemas import TaskDefinition

__all__ = ["DjangoConnections"]


class DjangoConnections(Plugin):
    """Does around every task what Django does around every request.

    Connections that are broken, or older than ``CONN_MAX_AGE``, are closed before the run, and
    again after it, however it ended. Each is closed where it is used: of plain tasks in their
    thread, of coroutines in the thread in which Django's ORM works for them. ::

        app.add_plugin(DjangoConnections())

    Tasks that cannot have such connections are left alone: plain ones with ``pool="loop"``, where
    Django refuses to query, and those with ``pool="process"``, whose connections are in a child.

    Args:
        name: its name.
    """

    def __init__(self, name: str = "django_connections") -> None:
        super().__init__(name)

    def applies(self, task: TaskDefinition) -> bool:
        """Tells whether a task may have connections here.

        Args:
            task: the task.
        """
        return task.is_async or task.pool == "thread"

    # The first moment at which the run has its thread: before dependencies are opened.
    @on("task_executor_args_replace", order="first")
    async def begin(self, task_executor: BaseTaskExecutor) -> None:
        """Closes what has grown old since the last run."""
        await _close_old(task_executor)

    # The last one: after dependencies are closed, which may have used a connection.
    @on("task_executor_task_close", order="last")
    async def end(self, task_executor: BaseTaskExecutor) -> None:
        """Closes what has grown old meanwhile; with ``CONN_MAX_AGE`` 0 that is all."""
        await _close_old(task_executor)


async def _close_old(executor: BaseTaskExecutor) -> None:
    from django.db import close_old_connections

    if executor.task_func.is_async:
        from asgiref.sync import sync_to_async

        await sync_to_async(close_old_connections)()
    else:
        await executor.call_plain(close_old_connections)
