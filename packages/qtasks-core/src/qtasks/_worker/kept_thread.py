"""One thread for several steps of a run, so that what is thread-local survives between them."""

from __future__ import annotations

import asyncio
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from qtasks._runtime.threads import Job, adopt, run_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks._runtime.threads import ThreadPool

__all__ = ["KeptThread"]


class KeptThread:
    """Takes a thread of the pool with the first step, and keeps it until it is closed.

    Args:
        pool: the pool.
        begin: called on the loop when the thread is there, which may be after a wait.
    """

    def __init__(self, pool: ThreadPool, begin: Callable[[], None] | None) -> None:
        self._pool = pool
        self._begin = begin
        self._steps: SimpleQueue[Job | None] = SimpleQueue()
        self._serving: Job | None = None
        self._step: Job | None = None
        self._closed = False

    @property
    def taken(self) -> bool:
        """Whether it has its thread, or waits for it."""
        return self._serving is not None

    async def call(self, step: Callable[[], Any]) -> Any:
        """Calls a step in the thread and returns what it returned.

        Context variables go both ways: the step sees the caller's, and the caller its changes.
        """
        loop = asyncio.get_running_loop()
        self._step = job = Job(step, loop.create_future(), None)
        self._steps.put(job)
        if self._serving is None:
            self._serving = self._pool.submit(lambda: self._serve(loop), self._begin)
        value = await job.future
        self._step = None
        adopt(job.context)
        return value

    @property
    def stuck(self) -> bool:
        """Whether it is in a step whose caller has given up."""
        return self._step is not None and self._step.future.cancelled()

    def close(self) -> None:
        """Gives the thread back; one that is still in a step is left to itself and replaced."""
        if self._serving is None or self._closed:
            return
        self._closed = True
        self._steps.put(None)
        if self.stuck:
            self._pool.abandon(self._serving)

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        while (job := self._steps.get()) is not None:
            if not job.future.cancelled():
                run_job(job)
                self._pool.answer(job, loop)
