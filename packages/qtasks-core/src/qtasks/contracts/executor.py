"""The executor: runs one delivery, step by step.

The engine owns the template (what happens in which order, triggers, limits, settling); an
executor class owns the steps. All steps of :class:`AsyncTaskExecutor` are coroutines on the
loop, those of :class:`SyncTaskExecutor` are plain and run in the task's thread.
"""

from __future__ import annotations

import inspect
import logging
from abc import ABC
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from qtasks.contracts.generating import exhaust, exhaust_async

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtasks.contracts.context import BaseContext
    from qtasks.schemas import Delivery, TaskDefinition

__all__ = ["AsyncTaskExecutor", "BaseTaskExecutor", "SyncTaskExecutor"]


_task_log: Final = logging.getLogger("qtasks.task")
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class BaseTaskExecutor(ABC):  # noqa: B024 - the two colours below add the steps
    """What both colours share.

    Args:
        task_func: the registered task.
        task_broker: the delivery that is run.
        log: a logger for the steps.
        plugins: taken for executors that pass it on, and not used: plugins need no executor.

    Attributes:
        task_func: the registered task.
        task_broker: the delivery.
        log: a logger, ``qtasks.task`` by default.
        args: positional arguments; steps, middlewares and plugins may replace them before the run.
        kwargs: keyword arguments, likewise.
        result: what the function returned, once it has.
        echo: the running task, if the function takes it as its first argument; it is added to
            ``args`` before the first step.
        values: takes what a generator yields, see ``run_task_gen``.
        place: where the run happens, for :meth:`call_plain`.
        contexts: makes what :meth:`context` returns.
    """

    #: The names of the steps a subclass may override; everything else belongs to the engine.
    STEPS: ClassVar[tuple[str, ...]] = (
        "before_execute",
        "run_task",
        "run_task_gen",
        "after_execute",
        "decode",
    )

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = _NOTHING
    result: Any = None
    echo: Any = None
    values: Any = None
    place: Any = None
    contexts: Any = None

    def __init__(
        self,
        task_func: TaskDefinition,
        task_broker: Delivery,
        log: logging.Logger | None = None,
        plugins: Any = None,  # noqa: ARG002 - see the docstring
    ) -> None:
        self.task_func = task_func
        self.task_broker = task_broker
        self.log = log or _task_log

    async def call_plain(self, function: Callable[[], Any]) -> Any:
        """Calls a plain function where it may block; for plugins, while the run lasts.

        That is the thread of the task if it has one, and otherwise one of the worker's threads.
        Who wants the thread of a task without steps of its own after the function, too, asks for
        it before, as in ``task_executor_args_replace``. A plain task that runs on the loop has it
        called there. Context variables go both ways.

        Args:
            function: what to call, without arguments.
        """
        return await self.place.plain(function)

    def context(self, *, is_async: bool | None = None) -> BaseContext:
        """Returns what the running task can learn of itself, as ``self.ctx`` of an echo task.

        Args:
            is_async: whether its methods are awaited; None for the colour of the task.

        Raises:
            RuntimeError: nobody keeps it: it is there for tasks with ``echo=True``, generators,
                and those of which plugins fill in parameters.
        """
        if self.contexts is None:
            msg = f"{self.task_func.name}: there is no context without echo=True"
            raise RuntimeError(msg)
        found: BaseContext = self.contexts(
            is_async=self.task_func.is_async if is_async is None else is_async
        )
        return found


class AsyncTaskExecutor(BaseTaskExecutor):
    """Steps of a task that runs on the loop."""

    async def before_execute(self) -> None:
        """Runs before the function; raising fails the attempt."""

    async def run_task(self) -> Any:
        """Calls the function and returns its result."""
        return await self.task_func.func(*self.args, **self.kwargs)

    async def run_task_gen(self) -> Any:
        """Takes the place of ``run_task`` for async generators; returns the list of the values.

        Each value goes through the task's ``generate_handler``, whose answer takes its place and
        is what ``yield`` gives back to the generator.
        """
        generator = self.task_func.func(*self.args, **self.kwargs)
        await exhaust_async(generator, self.values.take)
        return self.values.kept

    async def after_execute(self) -> None:
        """Runs after the function returned; ``self.result`` may be replaced."""

    async def decode(self) -> Any:
        """Returns the value to store; the default applies the task's ``decode=``."""
        decode = self.task_func.decode
        if decode is None:
            return self.result
        value = decode(self.result)
        return await value if inspect.isawaitable(value) else value


class SyncTaskExecutor(BaseTaskExecutor):
    """Steps of a task that runs in a thread."""

    def before_execute(self) -> None:
        """Runs before the function; raising fails the attempt."""

    def run_task(self) -> Any:
        """Calls the function and returns its result."""
        return self.task_func.func(*self.args, **self.kwargs)

    def run_task_gen(self) -> Any:
        """Takes the place of ``run_task`` for generators.

        Returns what the generator returned, and the list of the values if that is None. Each
        value goes through the task's ``generate_handler``, whose answer takes its place and is
        what ``yield`` gives back to the generator.
        """
        generator = self.task_func.func(*self.args, **self.kwargs)
        returned = exhaust(generator, self.values.take_here)
        return self.values.kept if returned is None else returned

    def after_execute(self) -> None:
        """Runs after the function returned; ``self.result`` may be replaced."""

    def decode(self) -> Any:
        """Returns the value to store; the default applies the task's ``decode=``.

        What an asynchronous ``decode=`` returns is awaited on the loop, if the step returns it.
        """
        decode = self.task_func.decode
        return self.result if decode is None else decode(self.result)
