"""Where tasks run in inline mode: coroutines on a loop, plain functions in the calling thread."""

from __future__ import annotations

import asyncio
import contextvars
from contextvars import ContextVar
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qtasks._runtime.bridge import Portal
from qtasks._runtime.threads import Job, ThreadPool, run_job
from qtasks.contracts.generating import exhaust
from qtasks.contracts.injected import check_injected

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from concurrent.futures import Future

    from qtasks.schemas import TaskDefinition

__all__ = ["Caller", "EngineLoop", "Places", "ProcessPlaces"]

T = TypeVar("T")

#: Seconds of one wait, so that the waiting thread stays interruptible on every platform.
_SLICE: Final = 1.0
#: How many plain functions of an asynchronous app run at once.
_THREADS: Final = 32


class EngineLoop(Portal):
    """A loop in a thread, for the engine of a synchronous app."""

    def started(self) -> asyncio.AbstractEventLoop:
        """Returns the loop, which runs."""
        return self._started()

    def is_here(self) -> bool:
        """Whether the calling thread runs a loop of this kind."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        return loop in _loops

    def _started(self) -> asyncio.AbstractEventLoop:
        loop = super()._started()
        _loops.add(loop)
        return loop

    def close(self) -> None:
        """Stops the loop."""
        _loops.discard(self._loop)
        super().close()


_loops: Final[set[asyncio.AbstractEventLoop | None]] = set()


class Caller:
    """A thread that waits for the engine, and runs plain functions meanwhile."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._busy = False
        self._over = False

    @property
    def waits(self) -> bool:
        """Whether it waits with nothing to do.

        While it does something functions run elsewhere, because it may depend on them.
        """
        return not self._busy and not self._over

    def call(
        self, make: Callable[[], Coroutine[Any, Any, T]], loop: asyncio.AbstractEventLoop
    ) -> T:
        """Runs a coroutine on a loop of another thread, and blocks until it has ended."""
        context = contextvars.copy_context()
        context.run(_caller.set, self)
        future = context.run(_post, make, loop)
        future.add_done_callback(self._ended)
        try:
            while (job := self._next()) is not None:
                job()
        except BaseException:
            self._over = True
            future.cancel()
            raise
        return future.result()

    def take(self, job: Job, pool: ThreadPool, loop: asyncio.AbstractEventLoop) -> None:
        """Has the thread run a job; to be called on the engine's loop."""
        self._busy = True
        self._jobs.put(partial(self._do, job, pool, loop))

    def _do(self, job: Job, pool: ThreadPool, loop: asyncio.AbstractEventLoop) -> None:
        if not job.abandoned:
            if job.begin is not None:
                loop.call_soon_threadsafe(job.begin)
            run_job(job)
        self._busy = False
        job.finished = True
        if isinstance(job.error, KeyboardInterrupt):
            raise job.error  # it is for the thread that waits, which gives up
        pool.answer(job, loop)

    def _ended(self, _: Future[Any]) -> None:
        self._over = True
        self._jobs.put(None)

    def _next(self) -> Callable[[], None] | None:
        while True:
            try:
                return self._jobs.get(timeout=_SLICE)
            except Empty:
                continue


def _post(make: Callable[[], Coroutine[Any, Any, T]], loop: asyncio.AbstractEventLoop) -> Future[T]:
    return asyncio.run_coroutine_threadsafe(make(), loop)


#: The thread that waits for what runs here; None where a coroutine does.
_caller: ContextVar[Caller | None] = ContextVar("qtasks_inline_caller", default=None)


class Places(ThreadPool):
    """Runs plain functions in the thread that waits for them, or else in threads."""

    def __init__(self) -> None:
        super().__init__(_THREADS, "qtasks-inline")

    def submit(self, function: Callable[[], Any], begin: Callable[[], None] | None = None) -> Job:
        """Hands a function to a thread, see :meth:`ThreadPool.submit`."""
        waiting = _caller.get()
        if waiting is None or not waiting.waits:
            return super().submit(function, begin)
        loop = asyncio.get_running_loop()
        job = Job(function, loop.create_future(), begin)
        waiting.take(job, self, loop)
        return job


class ProcessPlaces:
    """Runs the functions of pool processes where those of threads run.

    Args:
        places: where that is.
    """

    def __init__(self, places: Places) -> None:
        self._places = places

    async def run(
        self,
        task: TaskDefinition,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        begin: Callable[[], None] | None = None,
        take: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Runs a task's function, see ``ProcessPool.run``."""
        check_injected(task.func, args, kwargs)
        call = partial(task.func, *args, **kwargs)
        if take is not None:
            return await self._places.run(lambda: exhaust(call(), take), begin)
        return await self._places.run(call, begin)
