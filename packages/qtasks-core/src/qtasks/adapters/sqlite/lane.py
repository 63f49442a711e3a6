"""A thread that does one kind of work for callers in any event loop."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Lane", "Order", "run_apart"]

J = TypeVar("J")

#: A job and where its result goes.
Order: TypeAlias = "tuple[J, Future[Any]]"

#: Jobs that are handed to the thread's work at once, at the most.
_MOST = 256


class Lane(Generic[J]):
    """Runs ``work`` over all jobs that wait, in one thread that starts with the first job.

    Args:
        name: of the thread, for people.
        work: is called with the jobs; returns a result or an exception for each.
    """

    def __init__(self, name: str, work: Callable[[Sequence[J]], Sequence[Any]]) -> None:
        self._name = name
        self._work = work
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Order[J] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, job: J) -> Future[Any]:
        """Queues a job; the future can be cancelled until the thread has begun with it."""
        if self._pid != os.getpid():
            # The thread stayed in the parent, and so did its lock's owner.
            self._reset()
        future: Future[Any] = Future()
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._queue.put((job, future))
        return future

    def stop(self) -> None:
        """Does what is queued and ends the thread; blocks until then."""
        if self._pid != os.getpid():
            self._reset()
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._queue.put(None)
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        queue = self._queue
        while self._round(queue):
            pass

    def _round(self, queue: SimpleQueue[Order[J] | None]) -> bool:
        """Does what waits, or waits for something to do; returns False when told to end."""
        orders: list[Order[J]] = []
        order = queue.get()
        while order is not None:
            if order[1].set_running_or_notify_cancel():
                orders.append(order)
            if len(orders) >= _MOST:
                break
            try:
                order = queue.get_nowait()
            except Empty:
                break
        if orders:
            self._do(orders)
        return order is not None

    def _do(self, orders: Sequence[Order[J]]) -> None:
        """Works off one batch; no failure ends the thread."""
        try:
            results = self._work([job for job, _ in orders])
        except BaseException as error:  # noqa: BLE001 - it belongs to those who wait
            results = [error] * len(orders)
        for (_, future), result in zip(orders, results, strict=True):
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)


async def run_apart(name: str, action: Callable[[], None]) -> None:
    """Runs an action in a thread that ends with it, unlike those of a loop's executor."""
    future: Future[None] = Future()

    def run() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - it belongs to those who wait
            future.set_exception(error)
        else:
            future.set_result(None)

    # An action that has begun cannot be cancelled.
    future.set_running_or_notify_cancel()
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    await asyncio.wrap_future(future)
    thread.join()
