"""Waiting without polling, for coroutines of any loop and for threads."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Protocol, TypeVar

from qtasks.contracts.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qtasks.typing import Clock

__all__ = ["Bells", "LoopWaiter", "ThreadWaiter", "Waiter", "wait_for"]

T = TypeVar("T")


class Waiter(Protocol):
    """Somebody who waits for a bell."""

    def ring(self) -> None:
        """Wakes it, from any thread; the caller holds the lock."""

    def now(self) -> float:
        """Returns the seconds by which it measures its waiting."""

    async def pause(self, seconds: float) -> None:
        """Returns once it was rung or ``seconds`` have passed."""


class LoopWaiter:
    """A coroutine that waits; it suspends.

    Args:
        clock: measures and limits the waiting.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._called = False
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wakes it, from any thread; the caller holds the lock."""
        if self._called:  # one call into the loop wakes it, however many rings there are
            return
        self._called = True
        try:
            self._loop.call_soon_threadsafe(self._rung.set)
        except RuntimeError:  # the loop is closed: nobody waits there any more
            return

    def now(self) -> float:
        """Returns seconds of its clock."""
        return self._clock.monotonic()

    async def pause(self, seconds: float) -> None:
        """Returns once it was rung or ``seconds`` have passed."""
        rung = self._rung
        sleeper = asyncio.ensure_future(self._clock.sleep(seconds))
        sleeper.add_done_callback(lambda _: rung.set())
        try:
            await rung.wait()
        finally:
            sleeper.cancel()
            self._rung = asyncio.Event()
            self._called = False


class ThreadWaiter:
    """A thread that waits; it blocks, in real seconds, and can be interrupted."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._rung = threading.Event()

    def ring(self) -> None:
        """Wakes it, from any thread."""
        self._rung.set()

    def now(self) -> float:
        """Returns real seconds."""
        return self._clock.monotonic()

    async def pause(self, seconds: float) -> None:
        """Returns once it was rung or ``seconds`` have passed; never suspends."""
        self._rung.wait(min(seconds, threading.TIMEOUT_MAX))
        self._rung.clear()


class Bells:
    """Who waits for what."""

    def __init__(self) -> None:
        self._waiters: dict[str, list[Waiter]] = {}

    def ring(self, topic: str) -> None:
        """Wakes all who wait for a topic."""
        for waiter in self._waiters.get(topic, ()):
            waiter.ring()

    def add(self, topics: Iterable[str], waiter: Waiter) -> None:
        """Lets somebody wait."""
        for topic in topics:
            self._waiters.setdefault(topic, []).append(waiter)

    def remove(self, topics: Iterable[str], waiter: Waiter) -> None:
        """Undoes :meth:`add`."""
        for topic in topics:
            waiters = self._waiters[topic]
            waiters.remove(waiter)
            if not waiters:
                del self._waiters[topic]


async def wait_for(
    look: Callable[[], tuple[T | None, float]],
    *,
    topics: Iterable[str],
    bells: Bells,
    lock: threading.Lock,
    waiter: Waiter,
    seconds: float,
) -> T | None:
    """Looks until there is an answer, at once and whenever something changed.

    Args:
        look: returns the answer or None, and the seconds after which time itself may bring one.
        topics: the bells that tell of a change.
        bells: where they hang.
        lock: held whenever the bells are rung and while looking.
        waiter: who waits.
        seconds: the longest time to wait.

    Returns:
        The answer, or None if the time ran out.
    """
    topics = tuple(topics)
    deadline = waiter.now() + seconds
    with lock:
        answer, at_most = look()
        if answer is not None or seconds <= 0:
            return answer
        bells.add(topics, waiter)
    try:
        while True:
            left = deadline - waiter.now()
            if left <= 0:
                return None
            await waiter.pause(min(left, at_most))
            with lock:
                answer, at_most = look()
            if answer is not None:
                return answer
    finally:
        with lock:
            bells.remove(topics, waiter)
