"""Waiting at the broker while there is room for work and none is there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from qtasks.exc import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks._worker.outages import Outages
    from qtasks.contracts.broker import BaseBroker

__all__ = ["Watcher"]

log = logging.getLogger("qtasks.worker")

#: Seconds of one wait for work; the broker is asked again afterwards.
_READY_WAIT: Final = 5.0
#: The longest pause after a broker said "ready" and then gave nothing.
_MAX_EMPTY_PAUSE: Final = 0.5


class Watcher:
    """Waits for one worker.

    Args:
        broker: the broker.
        queues: returns the queues of the worker.
        outages: hears whether the broker is there.
        found: called when it is time to look for work.
    """

    def __init__(
        self,
        broker: BaseBroker,
        queues: Callable[[], tuple[str, ...]],
        outages: Outages,
        found: Callable[[], None],
    ) -> None:
        self._broker = broker
        self._queues = queues
        self._outages = outages
        self._found = found
        self._task: asyncio.Task[None] | None = None
        self._less = False
        self._empty = 0

    def watch(self, *, less: bool) -> None:
        """Begins to wait unless it does already.

        Args:
            less: whether the worker keeps a suspect, so that the broker waits for no other.
        """
        if self._less and not less and self._task is not None:
            self._task.cancel()
        if self._task is None or self._task.done() or self._task.cancelling():
            self._less = less
            self._task = asyncio.get_running_loop().create_task(self._wait())

    def looked(self, *, got: bool) -> None:
        """Notes whether a claim brought anything."""
        self._empty = 0 if got else self._empty + 1

    async def close(self) -> None:
        """Waits no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _wait(self) -> None:
        if self._empty > 1:  # "ready", but not for us: a suspect, or another worker was faster
            await self._outages.pause(min(_MAX_EMPTY_PAUSE, 0.001 * 2 ** min(self._empty, 10)))
        try:
            while not await self._broker.ready(self._queues(), _READY_WAIT):
                self._empty = 0
                self._outages.answered()
        except ServerError as error:
            if error.retriable:
                await self._outages.failed(error, draining=False)
        except Exception:
            log.exception("Waiting for work failed; the worker looks again")
            await self._outages.pause(_MAX_EMPTY_PAUSE)
        self._found()
