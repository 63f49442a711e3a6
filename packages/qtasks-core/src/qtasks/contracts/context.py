"""What a running task can learn of itself and do to itself: ``self.ctx`` of an echo task.

The two colours differ only in what waits: its methods are coroutines in an :class:`AsyncContext`
and block the task's thread in a :class:`SyncContext`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NoReturn, Protocol
from uuid import UUID

from qtasks.exc import TaskCancelError, TaskPluginTriggerError

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker
    from qtasks.contracts.storage import BaseStorage
    from qtasks.schemas import Delivery, TaskDefinition

__all__ = ["AsyncContext", "BaseContext", "RunningTask", "SyncContext"]


class RunningTask(Protocol):
    """What the engine tells a context, and does for it.

    Attributes:
        task: the registered task.
        delivery: what is run.
        worker: the worker that runs it.
    """

    task: TaskDefinition
    delivery: Delivery
    worker: Any

    def check(self) -> None:
        """Raises TaskCancelError once the run is over, whoever ended it."""
        ...

    def block(self, seconds: float) -> None:
        """Blocks the thread for so many seconds, or until the run is over."""
        ...

    def report(self, done: float, total: float | None, note: str) -> None:
        """Stores how far the task is."""
        ...


class BaseContext:
    """What both colours share.

    After the run has ended, and as soon as it was cancelled, every method raises
    :class:`~qtasks.exc.TaskCancelError`: so does the code of a thread, which nobody can stop
    from outside, find out that nobody waits for it any more.

    Args:
        run: the run.
        app: the app that runs it, in the task's colour.
    """

    def __init__(self, run: RunningTask, app: Any) -> None:
        self._run = run
        self._app = app
        self._metadata: Any = None

    @property
    def task_uuid(self) -> UUID:
        """The task's uuid."""
        return UUID(self._run.delivery.id)

    @property
    def task_name(self) -> str:
        """The registered name of the task."""
        return self._run.task.name

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1; postponed runs and lost workers do not count."""
        return self._run.delivery.attempts + 1

    @property
    def max_attempts(self) -> int | None:
        """How many attempts a retry policy allows; None without one."""
        return self._run.task.max_attempts

    @property
    def is_last_attempt(self) -> bool:
        """Whether a failure of this run is final, which without a retry policy each is."""
        most = self.max_attempts
        return most is None or self.attempt >= most

    @property
    def fencing_token(self) -> int:
        """A number that grows with every hand-out of the task.

        A server that refuses writes with a smaller number than it has seen is safe from a run
        that goes on although the task was handed to another worker.
        """
        return self._run.delivery.token

    def check(self) -> None:
        """Does nothing while the run goes on; for code that computes for long without waiting.

        Raises:
            TaskCancelError: the run is over: it was cancelled, lost, or took too long.
        """
        self._run.check()

    def get_logger(self, name: str | None = None) -> logging.Logger:
        """Returns the logger ``qtasks.task.<name>``.

        Args:
            name: the last part of its name; None for the task's.
        """
        self._run.check()
        return logging.getLogger(f"qtasks.task.{name or self.task_name}")

    def get_broker(self) -> BaseBroker:
        """Returns the broker of the app that runs the task."""
        self._run.check()
        broker: BaseBroker = self._app.broker
        return broker

    def get_storage(self) -> BaseStorage:
        """Returns the storage of the app that runs the task."""
        self._run.check()
        storage: BaseStorage = self._app.storage
        return storage

    def get_config(self) -> Any:
        """Returns the settings of the app that runs the task, a ``QueueConfig``."""
        self._run.check()
        return self._app.config

    def get_component(self, name: str) -> Any:
        """Returns a part of the app that runs the task.

        Args:
            name: ``app``, ``broker``, ``storage``, ``config``, ``worker``, or a plugin's name.

        Raises:
            LookupError: there is no such part.
        """
        self._run.check()
        app, plugins = self._app, self._app.plugins
        parts = {name: getattr(app, name) for name in ("broker", "storage", "config")}
        parts = {**plugins, **parts, "app": app, "worker": self._run.worker}
        if name not in parts:
            msg = f"there is no component {name!r}; there are {', '.join(sorted(parts))}"
            raise LookupError(msg)
        return parts[name]

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Says how far the task is; ``app.get()`` and ``qtasks tasks show`` tell it.

        It costs little and never waits: what is said more often than a few times a second
        replaces what was said before, and the last word is stored before the task ends.

        Args:
            done: how much is done, from 0 up.
            total: how much there is to do; None if that is not known.
            note: a few words for people.

        Raises:
            ValueError: ``done`` or ``total`` is no number from 0 up.
        """
        self._run.check()
        self._run.report(done, total, note)

    def cancel(self, reason: str = "", *args: Any) -> NoReturn:
        """Cancels the task by raising TaskCancelError, which it may catch to go on.

        Args:
            reason: is stored with the task; by default ``<task>.cancel``.
            *args: further arguments of the exception, for whoever catches it.

        Raises:
            TaskCancelError: always.
        """
        raise TaskCancelError(reason or f"{self.task_name}.cancel", *args)

    def plugin_error(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Asks the plugins for a result by raising TaskPluginTriggerError.

        Args:
            *args: the reason, as with any exception.
            **kwargs: whatever the plugins may want; ``message`` is shown as the reason.

        Raises:
            TaskPluginTriggerError: always.
        """
        raise TaskPluginTriggerError(*args, **kwargs)

    def __repr__(self) -> str:
        """Shows whose context it is."""
        return f"<{type(self).__name__} of {self.task_name} {self._run.delivery.id}>"


class AsyncContext(BaseContext):
    """``self.ctx`` of a coroutine."""

    async def sleep(self, seconds: float) -> None:
        """Waits without keeping others from running.

        Args:
            seconds: how long.

        Raises:
            TaskCancelError: the run is over.
        """
        self._run.check()
        await self._app.clock.sleep(seconds)

    async def get_task(self, uuid: str | UUID | None = None) -> Any:
        """Returns the handle of a task; None if there is no record of it.

        Args:
            uuid: its id; None for the running task itself.

        Raises:
            TaskArgumentsError: the id is not a uuid.
            TaskCancelError: the run is over.
        """
        self._run.check()
        return await self._app.get(self._run.delivery.id if uuid is None else uuid)

    async def get_metadata(self, cache: bool = True) -> Any:  # noqa: FBT001, FBT002 - the predecessor's signature
        """Returns the handle of the running task itself.

        Args:
            cache: whether one that was read before will do.
        """
        if self._metadata is None or not cache:
            self._metadata = await self.get_task()
        return self._metadata


class SyncContext(BaseContext):
    """``self.ctx`` of a plain function."""

    def sleep(self, seconds: float) -> None:
        """Waits without keeping others from running.

        Args:
            seconds: how long.

        Raises:
            TaskCancelError: the run is over.
        """
        self._run.block(seconds)

    def get_task(self, uuid: str | UUID | None = None) -> Any:
        """Returns the handle of a task; None if there is no record of it.

        Args:
            uuid: its id; None for the running task itself.

        Raises:
            TaskArgumentsError: the id is not a uuid.
            TaskCancelError: the run is over.
        """
        self._run.check()
        try:
            return self._app.get(self._run.delivery.id if uuid is None else uuid)
        except Exception:
            self._run.check()  # the worker may have ended, and what it is asked for with it
            raise

    def get_metadata(self, cache: bool = True) -> Any:  # noqa: FBT001, FBT002 - the predecessor's signature
        """Returns the handle of the running task itself.

        Args:
            cache: whether one that was read before will do.
        """
        if self._metadata is None or not cache:
            self._metadata = self.get_task()
        return self._metadata
