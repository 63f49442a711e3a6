"""Handles: a task that was added, seen by whoever added it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from qtasks.app.streaming import Cursor
from qtasks.app.view import TaskView, no_record, types_of
from qtasks.exc import UnknownTaskError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from qtasks.app import awaitable, blocking
    from qtasks.schemas import CancelAnswer, Record
    from qtasks.typing import ValueTypes

__all__ = ["AsyncTaskHandle", "TaskHandle"]

R = TypeVar("R")


class TaskHandle(TaskView[R]):
    """A task that was added, seen from synchronous code."""

    def __init__(self, app: blocking.QueueTasks, record: Record) -> None:
        super().__init__(record)
        self._app = app

    @property
    def _types(self) -> ValueTypes | None:
        return types_of(self._app, self.record.task)

    def refresh(self) -> Self:
        """Looks again and returns itself.

        Raises:
            UnknownTaskError: there is no record any more.
        """
        record = self._app._run(lambda client: client.get([self.id]))[0]  # noqa: SLF001 - one concept, two classes
        if record is None:
            raise UnknownTaskError(no_record(self.id))
        self.record = record
        return self

    def wait(self, timeout: float | None = None) -> Self:
        """Waits until the task is over and returns itself, whatever the end was.

        Args:
            timeout: seconds to wait at most; None waits as long as it takes.

        Raises:
            WaitTimeoutError: the time ran out; the task goes on.
            UnknownTaskError: there is no record (any more).
        """
        self._app._wait([self], timeout)  # noqa: SLF001 - one concept, two classes
        return self

    def result(self, timeout: float | None = None) -> R:
        """Waits and returns what the task returned.

        Args:
            timeout: seconds to wait at most; None waits as long as it takes.

        Raises:
            TaskFailedError: it failed.
            TaskCancelledError: it was cancelled.
            WaitTimeoutError: the time ran out.
            UnknownTaskError: there is no record (any more).
        """
        if not self.finished:
            self.wait(timeout)
        value: R = self._value()
        return value

    def stream(self, timeout: float | None = None, *, restart: bool = False) -> Iterator[Any]:
        """Reads what a generator task yields, while it runs; ends when the task has succeeded.

        Any number of readers may read, each from the beginning. A task that gives nothing before
        its end (``stream=False``) gives the values of its list then.

        Args:
            timeout: seconds to wait for the next value at most; None waits as long as it takes.
            restart: whether to go on when the task runs anew, after a crash or for another
                attempt; all values of the new run follow then, from their beginning.

        Raises:
            WaitTimeoutError: the time ran out; the task goes on.
            StreamBrokenError: the task runs anew and ``restart`` is False, or values are gone.
            TaskFailedError: the task failed; the values before came.
            TaskCancelledError: it was cancelled.
            UnknownTaskError: there is no record (any more).
        """
        cursor = Cursor(self, timeout, restart=restart)
        while (values := self._app._run(cursor.next)) is not None:  # noqa: SLF001 - one concept, two classes
            yield from values

    def cancel(self, reason: str = "cancelled by the caller") -> CancelAnswer:
        """Cancels it if it waits, and asks its worker to if it runs.

        Args:
            reason: is stored with the task.
        """
        return self._app.cancel(self.id, reason)


class AsyncTaskHandle(TaskView[R]):
    """A task that was added, seen from asynchronous code."""

    def __init__(self, app: awaitable.QueueTasks, record: Record) -> None:
        super().__init__(record)
        self._app = app

    @property
    def _types(self) -> ValueTypes | None:
        return types_of(self._app, self.record.task)

    async def refresh(self) -> Self:
        """Looks again and returns itself.

        Raises:
            UnknownTaskError: there is no record any more.
        """
        records = await self._app._run(lambda client: client.get([self.id]))  # noqa: SLF001 - one concept, two classes
        if records[0] is None:
            raise UnknownTaskError(no_record(self.id))
        self.record = records[0]
        return self

    async def wait(self, timeout: float | None = None) -> Self:
        """Waits until the task is over and returns itself, whatever the end was.

        Args:
            timeout: seconds to wait at most; None waits as long as it takes.

        Raises:
            WaitTimeoutError: the time ran out; the task goes on.
            UnknownTaskError: there is no record (any more).
        """
        await self._app._wait([self], timeout)  # noqa: SLF001 - one concept, two classes
        return self

    async def result(self, timeout: float | None = None) -> R:
        """Waits and returns what the task returned.

        Args:
            timeout: seconds to wait at most; None waits as long as it takes.

        Raises:
            TaskFailedError: it failed.
            TaskCancelledError: it was cancelled.
            WaitTimeoutError: the time ran out.
            UnknownTaskError: there is no record (any more).
        """
        if not self.finished:
            await self.wait(timeout)
        value: R = self._value()
        return value

    async def stream(
        self, timeout: float | None = None, *, restart: bool = False
    ) -> AsyncIterator[Any]:
        """Reads what a generator task yields, while it runs; ends when the task has succeeded.

        Any number of readers may read, each from the beginning. A task that gives nothing before
        its end (``stream=False``) gives the values of its list then.

        Args:
            timeout: seconds to wait for the next value at most; None waits as long as it takes.
            restart: whether to go on when the task runs anew, after a crash or for another
                attempt; all values of the new run follow then, from their beginning.

        Raises:
            WaitTimeoutError: the time ran out; the task goes on.
            StreamBrokenError: the task runs anew and ``restart`` is False, or values are gone.
            TaskFailedError: the task failed; the values before came.
            TaskCancelledError: it was cancelled.
            UnknownTaskError: there is no record (any more).
        """
        cursor = Cursor(self, timeout, restart=restart)
        while (values := await self._app._run(cursor.next)) is not None:  # noqa: SLF001 - one concept, two classes
            for value in values:
                yield value

    async def cancel(self, reason: str = "cancelled by the caller") -> CancelAnswer:
        """Cancels it if it waits, and asks its worker to if it runs.

        Args:
            reason: is stored with the task.
        """
        return await self._app.cancel(self.id, reason)
