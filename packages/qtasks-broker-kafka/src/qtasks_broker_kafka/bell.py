"""Wakes whoever waits for work, in loops and in threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Bell"]


class Bell:
    """Rings for all who wait.

    Sign up, look, then wait: what comes between the look and the wait is heard.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[Callable[[], None]] = set()

    def ring(self) -> None:
        """Wakes all who wait; may be called from any thread."""
        if not self._waiting:
            return
        with self._lock:
            waiting = [*self._waiting]
        for wake in waiting:
            wake()

    async def wait(self, look: Callable[[], bool], timeout: Callable[[], float]) -> bool:
        """Waits in a loop until ``look`` is true.

        Args:
            look: what is waited for; called after each ring.
            timeout: returns the seconds until the next look without one; 0 or less ends the wait.
        """
        loop = asyncio.get_running_loop()
        rung = asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # that loop is closed, and nobody waits in it
                loop.call_soon_threadsafe(rung.set)

        with self._signed_up(wake):
            while not look():
                if (left := timeout()) <= 0:
                    return False
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await rung.wait()
                rung.clear()
            return True

    def wait_in_thread(self, look: Callable[[], bool], timeout: Callable[[], float]) -> bool:
        """Waits as :meth:`wait` does, and blocks the calling thread."""
        rung = threading.Event()
        with self._signed_up(rung.set):
            while not look():
                if (left := timeout()) <= 0:
                    return False
                rung.wait(left)
                rung.clear()
            return True

    @contextlib.contextmanager
    def _signed_up(self, wake: Callable[[], None]) -> Iterator[None]:
        with self._lock:
            self._waiting.add(wake)
        try:
            yield
        finally:
            with self._lock:
                self._waiting.discard(wake)
