"""Where the steps of a run happen: on the loop, in the task's own thread, or around a child."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from qtasks._runtime.threads import ThreadPool
from qtasks._worker.kept_thread import KeptThread
from qtasks._worker.processes import ProcessPool
from qtasks.contracts.executor import SyncTaskExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BareCoroutine",
    "BareFunction",
    "BareThread",
    "HeardThread",
    "OnLoop",
    "OneThread",
    "Place",
    "PlainOnLoop",
    "Pools",
    "Processes",
]


class Pools(msgspec.Struct):
    """Where functions run that do not run on the loop.

    Attributes:
        threads: for plain functions.
        processes: for ``pool="process"``.
    """

    threads: ThreadPool
    processes: ProcessPool


class Place:
    """The place of one run; this one is the loop itself.

    Args:
        pools: where functions run that do not run on the loop.
        begin: called on the loop when the run has its place, which may be after a wait.
    """

    __slots__ = ("_begin", "_pools")

    def __init__(self, pools: Pools, begin: Callable[[], None] | None) -> None:
        self._pools = pools
        self._begin = begin

    async def take(self) -> None:
        """Waits for the place, if need be, so that the time of the run has begun."""

    async def call(self, step: Callable[[], Any]) -> Any:
        """Calls a step where the task wants it, and awaits what it returns if need be."""
        value = step()
        return await value if inspect.isawaitable(value) else value

    async def run(self, executor: Any) -> None:
        """Takes the steps up to the result of the function."""
        await self.prepare(executor)
        await self.body(executor)

    async def prepare(self, executor: Any) -> None:
        """Takes the step before the function, if there is to be something in between."""
        await self.call(executor.before_execute)

    async def body(self, executor: Any) -> None:
        """Calls the function, after :meth:`prepare`."""
        executor.result = await self.call(_body(executor))

    async def plain(self, function: Callable[[], Any]) -> Any:
        """Calls a plain function that may block: in a thread, if the run has none of its own.

        Context variables go both ways.
        """
        return await self._pools.threads.lend(function)

    @property
    def stuck(self) -> bool:
        """Whether the run has left its place behind, where code still runs."""
        return False

    def close(self) -> None:
        """Gives the place back."""


class OnLoop(Place):
    """Runs coroutines, and plain functions that want to."""

    __slots__ = ()

    def __init__(self, pools: Pools, begin: Callable[[], None] | None) -> None:
        super().__init__(pools, begin)
        if begin is not None:
            begin()


class PlainOnLoop(OnLoop):
    """Runs plain functions that want to run on the loop, and all that belongs to them."""

    __slots__ = ()

    async def plain(self, function: Callable[[], Any]) -> Any:
        """Calls a plain function."""
        return function()


class BareCoroutine(OnLoop):
    """Runs a coroutine function and nothing else."""

    __slots__ = ()

    async def body(self, executor: Any) -> None:
        """Takes the only step."""
        executor.result = await executor.run_task()

    run = body


class BareFunction(PlainOnLoop):
    """Runs a plain function on the loop and nothing else."""

    __slots__ = ()

    async def body(self, executor: Any) -> None:
        """Takes the only step."""
        executor.result = executor.run_task()

    run = body


class BareThread(Place):
    """Runs a plain function in a thread and nothing else."""

    __slots__ = ()

    async def body(self, executor: Any) -> None:
        """Takes the only step."""
        step = executor.run_task
        executor.result = await self._pools.threads.run(step, self._begin)

    run = body


class OneThread(Place):
    """Runs all plain steps of a run in one and the same thread."""

    __slots__ = ("_thread",)

    def __init__(self, pools: Pools, begin: Callable[[], None] | None) -> None:
        super().__init__(pools, begin)
        self._thread = KeptThread(pools.threads, begin)

    async def take(self) -> None:
        """Waits for the thread."""
        if not self._thread.taken:
            await self._thread.call(_nothing)

    async def call(self, step: Callable[[], Any]) -> Any:
        """Calls a step in the thread; what is to be awaited is awaited on the loop."""
        value = await self._thread.call(step)
        return await value if inspect.isawaitable(value) else value

    async def run(self, executor: Any) -> None:
        """Takes the steps up to the result of the function, in one go."""
        await self._thread.call(partial(_run, executor))

    async def plain(self, function: Callable[[], Any]) -> Any:
        """Calls a plain function in the thread; in another one, if it does not come back."""
        if self.stuck:
            return await super().plain(function)
        return await self._thread.call(function)

    @property
    def stuck(self) -> bool:
        """Whether the thread is still in a step that nobody waits for."""
        return self._thread.stuck

    def close(self) -> None:
        """Gives the thread back, or leaves it to itself if it is still in a step."""
        self._thread.close()


class HeardThread(OneThread):
    """Runs a plain function and nothing else, in a thread that is kept if a plugin asks for it.

    To keep one costs about as much as a small task, and few plugins have something to do there.
    """

    __slots__ = ("_ran",)

    def __init__(self, pools: Pools, begin: Callable[[], None] | None) -> None:
        super().__init__(pools, begin)
        self._ran = False

    async def prepare(self, executor: Any) -> None:
        """Has no step to take."""

    async def body(self, executor: Any) -> None:
        """Takes the only step: in the kept thread, if there is one."""
        self._ran = True
        if self._thread.taken:
            await super().body(executor)
        else:
            executor.result = await self._pools.threads.run(executor.run_task, self._begin)

    run = body

    async def plain(self, function: Callable[[], Any]) -> Any:
        """Calls a plain function: before the task's in its thread, and after it if that is kept."""
        if self._ran and not self._thread.taken:
            return await self._pools.threads.lend(function)
        return await super().plain(function)


class Processes(Place):
    """Runs the function in a child process, and the other steps in threads of the worker."""

    __slots__ = ()

    async def call(self, step: Callable[[], Any]) -> Any:
        """Calls a step in a thread."""
        value = await self._pools.threads.run(step)
        return await value if inspect.isawaitable(value) else value

    async def prepare(self, executor: Any) -> None:
        """Takes the step before the function."""
        if type(executor).before_execute is not SyncTaskExecutor.before_execute:
            await self.call(executor.before_execute)

    async def body(self, executor: Any) -> None:
        """Has a child call the function."""
        task, args, kwargs = executor.task_func, executor.args, executor.kwargs
        values = executor.values
        take = None if values is None else values.take_here
        result = await self._pools.processes.run(task, args, kwargs, self._begin, take)
        executor.result = values.kept if result is None and values is not None else result


def _run(executor: Any) -> None:
    executor.before_execute()
    executor.result = _body(executor)()


def _body(executor: Any) -> Callable[[], Any]:
    """Returns the step that calls the function."""
    body: Callable[[], Any] = (
        executor.run_task_gen if executor.task_func.generates else executor.run_task
    )
    return body


def _nothing() -> None:
    """Is called to see that the thread is there."""
