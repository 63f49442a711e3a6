"""The end of a worker: running tasks get their time, the rest goes back, everything is settled."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from qtasks.exc import ServerError
from qtasks.schemas import Release

if TYPE_CHECKING:
    from qtasks._worker.pump import Pump
    from qtasks._worker.runner import Runner

__all__ = ["MARGIN", "Stopping", "shut_down"]

log = logging.getLogger("qtasks.worker")

#: Seconds a worker gets to end by itself when its tasks have had their time.
MARGIN: Final = 10.0
#: Seconds a stopping worker may take to settle what it has stopped, beyond ``shutdown_timeout``.
_LAST_COMMIT: Final = 5.0


class Stopping(asyncio.Event):
    """Is set when a worker was asked to stop, and knows since when."""

    _since: float | None = None

    def set(self) -> None:
        """Notes that it was asked; the first time counts."""
        if self._since is None:
            self._since = time.monotonic()
        super().set()

    def left(self, patience: float) -> float | None:
        """Returns the seconds until the worker has to be gone; None if it was not asked to stop.

        That is the time of its tasks and ten seconds for all the rest; then a supervisor kills it.

        Args:
            patience: seconds its tasks get.
        """
        if self._since is None:
            return None
        return max(0.0, self._since + patience + MARGIN - time.monotonic())


async def shut_down(
    pumping: asyncio.Task[None],
    pump: Pump,
    runner: Runner,
    *,
    hurry: asyncio.Event,
    patience: float,
    doomed: bool,
) -> None:
    """Stops claiming, lets running tasks end, gives back the rest, settles everything.

    Args:
        pumping: the task in which the pump runs.
        pump: the pump.
        runner: what runs the deliveries.
        hurry: set when running tasks are to be given back at once.
        patience: seconds they get otherwise.
        doomed: whether the broker failed for good, so that nothing can be settled.

    Raises:
        ServerError: the broker failed.
    """
    pump.drain()
    if runner.running:
        log.info(
            "Stopping: %d tasks still run, up to %g s; stop again to give them back at once",
            runner.running,
            patience,
        )
    try:
        if not pumping.done() and not doomed:
            await _wait(pumping, hurry, patience)
        runner.interrupt_all(Release())
        async with asyncio.timeout(0 if doomed else _LAST_COMMIT):
            await asyncio.shield(pumping)
    except TimeoutError:
        log.error("The broker did not take the last outcomes; their leases will run out")  # noqa: TRY400 - the trace says nothing more
    except ServerError as error:
        log.error("The broker failed: %s", error)  # noqa: TRY400 - the caller gets the traceback
        raise
    finally:
        # Also when the stop itself is cancelled, nothing may run on behind it.
        runner.interrupt_all(None)
        pumping.cancel()
        await asyncio.gather(pumping, return_exceptions=True)


async def _wait(pumping: asyncio.Task[None], hurry: asyncio.Event, patience: float) -> None:
    """Waits for running tasks: until they ended, time ran out, or somebody is in a hurry."""
    hurried = asyncio.ensure_future(hurry.wait())
    try:
        await asyncio.wait(
            [hurried, pumping], timeout=patience, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        hurried.cancel()
