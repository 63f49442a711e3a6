"""Threads for plain functions, with answers that reach the loop in batches.

Unlike ``ThreadPoolExecutor``: a caller that gives up abandons its thread, which is replaced at
once, and many answers cost one wake-up of the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from qtasks.exc import Snooze

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Job", "ThreadPool", "adopt", "run_job"]

log = logging.getLogger("qtasks.worker")

#: Seconds until a thread is asked for again that could not be started.
_LATER: Final = 1.0
_UNSET = object()


class Job:
    """A function on its way to a thread and back, in a copy of the caller's context.

    Args:
        function: what to run.
        future: gets what it returned or raised.
        begin: called on the loop when a thread takes it up.
    """

    __slots__ = (
        "abandoned",
        "begin",
        "context",
        "error",
        "finished",
        "function",
        "future",
        "result",
        "started",
    )

    def __init__(
        self,
        function: Callable[[], Any],
        future: asyncio.Future[Any],
        begin: Callable[[], None] | None,
    ) -> None:
        self.function = function
        self.begin = begin
        self.future = future
        self.context = contextvars.copy_context()
        self.result: Any = None
        self.error: BaseException | None = None
        self.started = False
        self.finished = False
        self.abandoned = False


class ThreadPool:
    """Runs functions in at most ``size`` daemon threads, started as they are needed.

    Belongs to the loop that runs it.

    Args:
        size: the most functions that run at once, abandoned ones not counted.
        name: prefix of the threads' names.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._done: deque[Job] = deque()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0  # below 0: so many functions wait for a thread
        self._numbered = 0
        self._notified = False
        self.abandoned = 0

    async def run(
        self, function: Callable[[], Any], begin: Callable[[], None] | None = None
    ) -> Any:
        """Runs a function in a thread, in a copy of the caller's context.

        A cancelled caller leaves the thread to itself: its answer is dropped, and another
        thread takes its place.

        Args:
            function: what to run.
            begin: called on the loop when a thread takes it up.
        """
        job = self.submit(function, begin)
        try:
            return await job.future
        except asyncio.CancelledError:
            self.abandon(job)
            raise

    async def lend(self, function: Callable[[], Any]) -> Any:
        """Does what :meth:`run` does, and keeps what the function did to the caller's context."""
        job = self.submit(function)
        try:
            value = await job.future
        except asyncio.CancelledError:
            self.abandon(job)
            raise
        adopt(job.context)
        return value

    def submit(self, function: Callable[[], Any], begin: Callable[[], None] | None = None) -> Job:
        """Hands a function to a thread and returns at once; see :meth:`run`.

        If the system lets no more threads start, those that there are do it all.

        Raises:
            Snooze: there is none; that is no fault of the task.
        """
        loop = asyncio.get_running_loop()
        job = Job(function, loop.create_future(), begin)
        with self._lock:
            if self._idle > 0 or self._threads >= self._size or not self._spawn(loop):
                if not self._threads:
                    raise Snooze(_LATER, "no thread can be started")
                self._idle -= 1
        self._jobs.put(job)
        return job

    def resize(self, size: int) -> None:
        """Changes how many functions may run at once; what runs goes on.

        To be called on the loop that runs the pool.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            self._size = size
            # While somebody waits for a thread, and one can be had.
            while self._idle < 0 and self._threads < size and self._spawn(loop):
                self._idle += 1
            while self._threads > size:
                self._jobs.put(None)
                self._threads -= 1
                self._idle -= 1

    def close(self) -> None:
        """Lets idle threads end; running ones end with their function."""
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put(None)
            self._threads = self._idle = 0

    def _spawn(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Starts a thread, under the lock; returns False if the system refuses."""
        name = f"{self._name}-{self._numbered + 1}"
        try:
            threading.Thread(target=self._work, args=(loop,), name=name, daemon=True).start()
        except (RuntimeError, MemoryError) as error:
            log.warning("No more than %d threads can be started: %s", self._threads, error)
            return False
        self._threads += 1
        self._numbered += 1
        return True

    def _replace(self, loop: asyncio.AbstractEventLoop) -> None:
        """Starts a thread for one that is gone, as soon as the system lets it."""
        with self._lock:
            if self._spawn(loop):
                self._idle += 1
                return
        loop.call_later(_LATER, self._replace, loop)

    def abandon(self, job: Job) -> None:
        """Leaves a job to itself: its thread is replaced, or it is never begun."""
        with self._lock:
            if job.finished:
                return
            job.abandoned = True
            if not job.started:
                return
            self.abandoned += 1
            self._threads -= 1
        self._replace(asyncio.get_running_loop())

    def answer(self, job: Job, loop: asyncio.AbstractEventLoop) -> bool:
        """Takes a finished job back to the loop, together with others; called in its thread.

        Returns:
            False if the loop was closed meanwhile; then nobody waits.
        """
        with self._lock:
            notify = self._put(job)
        return not notify or self._notify(loop)

    def _put(self, job: Job) -> bool:
        """Keeps an answer, under the lock; returns whether the loop must be told."""
        self._done.append(job)
        notify, self._notified = not self._notified, True
        return notify

    def _notify(self, loop: asyncio.AbstractEventLoop) -> bool:
        try:
            loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:  # the loop was closed meanwhile; nobody waits
            return False
        return True

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while (job := self._jobs.get()) is not None:
            with self._lock:
                skip = job.abandoned
                job.started = True
            if not skip:
                _begin(job, loop)
                run_job(job)
            with self._lock:
                job.finished = True
                if job.abandoned and not skip:
                    self.abandoned -= 1
                    return  # another thread has taken this one's place
                self._idle += 1
                notify = self._put(job)
            if notify and not self._notify(loop):
                return

    def _deliver(self) -> None:
        with self._lock:
            self._notified = False
            done, self._done = self._done, deque()
        for job in done:
            if job.future.done():
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)


def _begin(job: Job, loop: asyncio.AbstractEventLoop) -> None:
    if job.begin is not None:
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile; nobody waits
            loop.call_soon_threadsafe(job.begin)


def adopt(context: contextvars.Context) -> None:
    """Sets the context variables of the caller as they are in another context."""
    for variable, value in context.items():
        if variable.get(_UNSET) is not value:
            variable.set(value)


def run_job(job: Job) -> None:
    """Runs a job's function and keeps what it returned or raised."""
    try:
        job.result = job.context.run(job.function)
    except StopIteration as error:  # a future refuses it, and a coroutine cannot raise it
        job.error = RuntimeError(f"the task raised StopIteration({error.value!r})")
        job.error.__cause__ = error
    except (asyncio.CancelledError, GeneratorExit) as error:
        # Coroutines would take the one for their caller's wish, the other for their own end.
        job.error = RuntimeError(f"the task raised {type(error).__name__}")
        job.error.__cause__ = error
    except BaseException as error:  # noqa: BLE001 - handed to the caller, who decides
        job.error = error
