"""Coroutines from plain code: by driving them, or through a loop in a thread."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

__all__ = ["HopToLoop", "Portal", "drive", "is_async_callable"]

T = TypeVar("T")


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that never suspends, without a loop.

    The logic of a client is written once, as coroutines over a transport; over a blocking
    transport nothing suspends, so one step completes it.

    Raises:
        RuntimeError: it suspended, which is a defect of the transport.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # StopIteration.value is Any by its nature
    coroutine.close()
    msg = f"{coroutine!r} suspended although its transport is a blocking one"
    raise RuntimeError(msg)


def is_async_callable(function: Any) -> bool:
    """Tells whether calling ``function`` gives a coroutine; sees through partials and objects."""
    from functools import partial
    from inspect import iscoroutinefunction

    while isinstance(function, partial):
        function = function.func
    if isinstance(function, type):
        return False
    return iscoroutinefunction(function) or iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - its colour is asked for, not its presence
    )


class Portal:
    """A loop in a daemon thread, for what cannot be driven: async plugins, async-only brokers.

    Starts with the first call, and again in a forked child. Waiting callers stay interruptible.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    @property
    def running(self) -> bool:
        """Whether the loop's thread was started in this process and not closed since."""
        return self._loop is not None and self._pid == os.getpid()

    def call(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Runs the coroutine that ``make`` returns and gives back its result.

        Raises:
            RuntimeError: called where it would deadlock or block a running loop.
        """
        _refuse_inside_a_loop()
        future = asyncio.run_coroutine_threadsafe(make(), self._started())
        try:
            return _interruptible(future)
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Stops the loop and joins the thread; the next call starts anew."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None and self._pid == os.getpid():
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._loop, self._pid = asyncio.new_event_loop(), os.getpid()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="qtasks-portal", daemon=True
                )
                self._thread.start()
            return self._loop


class HopToLoop(Portal):
    """A portal to a loop that runs anyway, for the threads beside it.

    Args:
        loop: the loop; it belongs to somebody else, and is not closed here.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    @property
    def running(self) -> bool:
        """Never: there is no thread of its own to end."""
        return False

    def close(self) -> None:
        """Does nothing: the loop is not ours."""

    def _started(self) -> asyncio.AbstractEventLoop:
        assert self._loop is not None  # noqa: S101 - it was given
        return self._loop


def _refuse_inside_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    msg = (
        "this call would block a running event loop: use qtasks.asyncio.QueueTasks there, and"
        " pool='thread' for a plain function"
    )
    raise RuntimeError(msg)


def _interruptible(future: Future[T]) -> T:
    """Waits in slices: a wait without end cannot be interrupted on every platform."""
    while True:
        try:
            return future.result(timeout=1.0)
        except TimeoutError:
            if future.done():
                raise
