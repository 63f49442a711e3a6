"""The thread in which everything that speaks to Kafka runs, shared by a broker and its twins.

Code that blocks the loop of a worker must not cost it its partitions, and a blocking call must
find a loop that runs; so the driver lives in a loop of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qtasks_broker_kafka.engine import Engine
from qtasks_broker_kafka.faults import DRIVER_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from qtasks_broker_kafka.options import Options

__all__ = ["Hub"]

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Seconds that the end of the program waits for connections that nobody has closed.
_AT_EXIT: Final = 2.0
#: The hubs with a thread.
_OPEN: Final[set[Hub]] = set()


class Hub:
    """Runs an engine while somebody needs it.

    After a fork the child has no thread, so it makes an engine of its own.

    Args:
        options: what the URL says.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._inherited: list[Engine] = []
        self._engine: Engine | None = None
        self._reset()

    def _reset(self) -> None:
        if self._engine is not None:  # the driver complains of connections that nobody closes
            self._inherited.append(self._engine)
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._users = 0
        self._engine = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def enter(self) -> Engine:
        """Counts one more user; the first one starts the thread."""
        if os.getpid() != self._pid:
            self._reset()
        with self._lock:
            self._users += 1
            if self._engine is None:
                self._loop = asyncio.new_event_loop()
                self._engine = Engine(self._options, self._loop)
                self._thread = threading.Thread(
                    target=_run, args=(self._loop,), name="qtasks-kafka", daemon=True
                )
                self._thread.start()
                _OPEN.add(self)
            return self._engine

    def leave(self) -> Callable[[], None]:
        """Counts one user less; the call that is returned ends what nobody needs any more.

        It blocks until connections are closed and the thread is gone.
        """
        if os.getpid() != self._pid:
            self._reset()
            return _nothing
        with self._lock:
            self._users -= 1
            if self._users > 0 or self._engine is None:
                return _nothing
            return self._ending(self._engine)

    def abandon(self) -> None:
        """Ends it although others may need it: the program ends."""
        if os.getpid() != self._pid:  # it is the parent's, and the lock may be held for ever
            return
        with self._lock:
            if self._engine is None:
                return
            end = self._ending(self._engine, _AT_EXIT)
        with contextlib.suppress(*DRIVER_ERRORS):
            end()

    def _ending(self, engine: Engine, patience: float | None = None) -> Callable[[], None]:
        loop, thread = self._loop, self._thread
        self._engine = self._loop = self._thread = None
        _OPEN.discard(self)

        def end() -> None:
            assert loop is not None  # noqa: S101 - they are set together
            assert thread is not None  # noqa: S101 - they are set together
            asyncio.run_coroutine_threadsafe(engine.close(), loop).result(patience)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

        return end


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(_quiet)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _quiet(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Takes what nobody has caught: what failed for the server's sake is told elsewhere."""
    error = context.get("exception")
    if isinstance(error, DRIVER_ERRORS):
        log.debug("The driver has left a failure behind: %s", context["message"], exc_info=error)
    else:
        loop.default_exception_handler(context)


@atexit.register
def _close_all() -> None:
    for hub in [*_OPEN]:
        hub.abandon()


def _nothing() -> None:
    """Ends nothing: others need it still."""


async def call(
    engine: Engine, make: Callable[[Engine], Coroutine[Any, Any, T]], *, blocking: bool
) -> T:
    """Runs a coroutine in the engine's thread and returns what it returns.

    Args:
        engine: the engine.
        make: makes the coroutine.
        blocking: whether to block the calling thread instead of suspending.
    """

    async def opened() -> T:
        await engine.open()
        return await make(engine)

    future = asyncio.run_coroutine_threadsafe(opened(), engine.loop)
    if blocking:
        return future.result()
    return await asyncio.wrap_future(future)
