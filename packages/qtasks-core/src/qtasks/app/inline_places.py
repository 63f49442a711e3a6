"""Where tasks run in inline mode: coroutines on a loop, plain functions in the calling thread."""

from __future__ import annotations

import asyncio
import contextvars
from contextvars import ContextVar
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qtasks._core.bridge import Portal
from qtasks._core.worker.threads import ThreadPool
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

    async def run(self, function: Callable[[], Any], begin: Callable[[], None] | None) -> Any:
        """Has the thread run a function; to be awaited on the engine's loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()
        self._busy = True
        future.add_done_callback(self._done)
        self._jobs.put(lambda: _work(partial(context.run, function), future, loop))
        if begin is not None:
            begin()
        return await asyncio.shield(future)  # the thread is busy until the function returns

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._busy = False
        if not future.cancelled():
            future.exception()  # it was looked at, also if nobody waits any more

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


def _work(
    function: Callable[[], Any], future: asyncio.Future[Any], loop: asyncio.AbstractEventLoop
) -> None:
    """Runs a function in this thread and takes the answer over to the loop."""
    try:
        result = function()
    except StopIteration as error:  # a future refuses it, and a coroutine cannot raise it
        raised = RuntimeError(f"the task raised StopIteration({error.value!r})")
        raised.__cause__ = error
        loop.call_soon_threadsafe(_answer, future, None, raised)
    except asyncio.CancelledError as error:  # a future would take it for its own caller's wish
        raised = RuntimeError("the task raised CancelledError")
        raised.__cause__ = error
        loop.call_soon_threadsafe(_answer, future, None, raised)
    except KeyboardInterrupt:
        raise  # it is for the thread that waits, which gives up
    except BaseException as error:  # noqa: BLE001 - handed to the engine, which decides
        loop.call_soon_threadsafe(_answer, future, None, error)
    else:
        loop.call_soon_threadsafe(_answer, future, result, None)


def _answer(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return  # its time was over, and its result is refused
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


#: The thread that waits for what runs here; None where a coroutine does.
_caller: ContextVar[Caller | None] = ContextVar("qtasks_inline_caller", default=None)


class Places(ThreadPool):
    """Runs plain functions in the thread that waits for them, or else in threads."""

    def __init__(self) -> None:
        super().__init__(_THREADS, "qtasks-inline")

    async def run(
        self, function: Callable[[], Any], begin: Callable[[], None] | None = None
    ) -> Any:
        """Runs a function, see :meth:`ThreadPool.run`."""
        waiting = _caller.get()
        if waiting is None or not waiting.waits:
            return await super().run(function, begin)
        return await waiting.run(function, begin)


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
    ) -> Any:
        """Runs a task's function, see ``ProcessPool.run``."""
        check_injected(task.func, args, kwargs)
        return await self._places.run(partial(task.func, *args, **kwargs), begin)
