"""One run of an echo task, as its context sees it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from qtasks.exc import TaskCancelError

if TYPE_CHECKING:
    from qtasks._worker.reports import Reports
    from qtasks.contracts.context import BaseContext
    from qtasks.schemas import Delivery, TaskDefinition

__all__ = ["EchoMaker", "Run"]


class Run:
    """A run that its own code can look at, from the loop or from a thread.

    Args:
        task: the registered task.
        delivery: what is run.
        worker: the worker, as plugins see it.
        reports: where progress goes.

    Attributes:
        task: likewise.
        delivery: likewise.
        worker: likewise.
    """

    def __init__(
        self, task: TaskDefinition, delivery: Delivery, worker: Any, reports: Reports
    ) -> None:
        self.task = task
        self.delivery = delivery
        self.worker = worker
        self._reports = reports
        self._over = threading.Event()
        self._reason = ""

    def end(self, reason: str = "the run is over") -> None:
        """Has every later call of the context raise; the first reason stays."""
        if not self._over.is_set():
            self._reason = reason
            self._over.set()

    def check(self) -> None:
        """Raises once the run is over.

        Raises:
            TaskCancelError: it is; the first argument is the reason.
        """
        if self._over.is_set():
            raise TaskCancelError(self._reason)

    def block(self, seconds: float) -> None:
        """Blocks the thread, but not longer than the run lasts.

        Args:
            seconds: how long.

        Raises:
            TaskCancelError: the run is over.
        """
        self._over.wait(max(0.0, seconds))
        self.check()

    def report(self, done: float, total: float | None, note: str) -> None:
        """Stores how far the task is, see :meth:`Reports.put`."""
        self._reports.put(self.delivery, done, total, note)


class EchoMaker(Protocol):
    """Makes the first argument of echo tasks; belongs to one worker and its loop."""

    def make(self, run: Run) -> object:
        """Returns the running task as its function sees it."""
        ...

    def context(self, run: Run, *, is_async: bool) -> BaseContext:
        """Returns the context of a run, in a colour.

        Args:
            run: the run.
            is_async: whether its methods are awaited; otherwise they block.
        """
        ...

    async def close(self) -> None:
        """Closes whatever was opened for it."""
        ...
