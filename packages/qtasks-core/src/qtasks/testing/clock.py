"""A clock that moves when it is told to."""

from __future__ import annotations

import asyncio
import threading
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from qtasks._runtime.current import current_delivery

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FakeClock"]


class FakeClock:
    """Stands still until :meth:`advance`, which wakes whoever slept long enough.

    It may be read and advanced from any thread, and slept on in any number of loops.

    Args:
        start: the first time it tells, seconds since the epoch.
    """

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._lock = threading.Lock()
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._naps: dict[asyncio.Future[None], float] = {}
        #: Called when a running task begins to sleep.
        self._told: Callable[[], None] | None = None

    def time(self) -> float:
        """Returns seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Returns seconds that never go backwards; here the same as :meth:`time`."""
        return self._now

    @property
    def sleeping(self) -> int:
        """How many coroutines sleep on it now."""
        with self._lock:
            return sum(not future.done() for _, _, future in self._sleepers)

    def _until_tasks_wake(self, running: int) -> float | None:
        """Returns seconds until the first of the tasks that sleep here wakes.

        Args:
            running: how many tasks run; None is returned unless all of them sleep here.
        """
        with self._lock:
            due = [at for future, at in self._naps.items() if not future.done()]
        return min(due) - self._now if due and len(due) >= running else None

    def advance(self, seconds: float) -> None:
        """Moves the time on and wakes the sleepers whose time has come, the earliest first.

        They run when their loops next do.

        Args:
            seconds: how far, 0 or more.

        Raises:
            ValueError: ``seconds`` is negative; time does not go backwards.
        """
        if seconds < 0:
            msg = f"cannot advance by {seconds:g} s: time does not go backwards"
            raise ValueError(msg)
        with self._lock:
            self._now += seconds
            while self._sleepers and self._sleepers[0][0] <= self._now:
                _, _, future = heappop(self._sleepers)
                self._naps.pop(future, None)
                wake(future)

    async def sleep(self, seconds: float) -> None:
        """Suspends the calling coroutine until the time was advanced by ``seconds``."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        napping = current_delivery.get() is not None
        with self._lock:
            at = self._now + seconds
            heappush(self._sleepers, (at, next(self._order), future))
            if napping:
                self._naps[future] = at
        if napping and self._told is not None:
            self._told()
        try:
            await future
        finally:
            self._naps.pop(future, None)


def wake(future: asyncio.Future[None]) -> None:
    """Ends a sleep, from any thread."""
    try:
        future.get_loop().call_soon_threadsafe(finish, future)
    except RuntimeError:  # its loop is closed: nobody sleeps there any more
        return


def finish(future: asyncio.Future[None]) -> None:
    """Sets the result unless the sleeper was cancelled."""
    if not future.done():
        future.set_result(None)
