"""The executor: runs one delivery, step by step.

The engine owns the template (what happens in which order, triggers, limits, settling); an
executor class owns the steps. All steps of :class:`AsyncTaskExecutor` are coroutines on the
loop, those of :class:`SyncTaskExecutor` are plain and run in the task's thread.
"""

from __future__ import annotations

import logging
from abc import ABC
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.schemas import Delivery, TaskDefinition

__all__ = ["AsyncTaskExecutor", "BaseTaskExecutor", "SyncTaskExecutor"]


_task_log: Final = logging.getLogger("qtasks.task")


class BaseTaskExecutor(ABC):  # noqa: B024 - the two colours below add the steps
    """What both colours share.

    Args:
        task_func: the registered task.
        task_broker: the delivery that is run.
        log: a logger for the steps.

    Attributes:
        task_func: the registered task.
        task_broker: the delivery.
        args: positional arguments; steps and plugins may replace them before the run.
        kwargs: keyword arguments, likewise.
        result: what the function returned, once it has.
    """

    #: The names of the steps a subclass may override; everything else belongs to the engine.
    STEPS: ClassVar[tuple[str, ...]] = (
        "before_execute",
        "run_task",
        "after_execute",
        "decode",
    )

    def __init__(
        self,
        task_func: TaskDefinition,
        task_broker: Delivery,
        log: logging.Logger | None = None,
    ) -> None:
        self.task_func = task_func
        self.task_broker = task_broker
        self.log = log or _task_log
        self.args: tuple[Any, ...] = ()
        self.kwargs: Mapping[str, Any] = {}
        self.result: Any = None


class AsyncTaskExecutor(BaseTaskExecutor):
    """Steps of a task that runs on the loop."""

    async def before_execute(self) -> None:
        """Runs before the function; raising fails the attempt."""

    async def run_task(self) -> Any:
        """Calls the function and returns its result."""
        return await self.task_func.func(*self.args, **self.kwargs)

    async def after_execute(self) -> None:
        """Runs after the function returned; ``self.result`` may be replaced."""

    async def decode(self) -> Any:
        """Returns the value to store; the default applies the task's ``decode=``."""
        decode = self.task_func.decode
        return self.result if decode is None else decode(self.result)


class SyncTaskExecutor(BaseTaskExecutor):
    """Steps of a task that runs in a thread."""

    def before_execute(self) -> None:
        """Runs before the function; raising fails the attempt."""

    def run_task(self) -> Any:
        """Calls the function and returns its result."""
        return self.task_func.func(*self.args, **self.kwargs)

    def after_execute(self) -> None:
        """Runs after the function returned; ``self.result`` may be replaced."""

    def decode(self) -> Any:
        """Returns the value to store; the default applies the task's ``decode=``."""
        decode = self.task_func.decode
        return self.result if decode is None else decode(self.result)
