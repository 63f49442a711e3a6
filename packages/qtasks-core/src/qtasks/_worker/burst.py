"""Until when a worker runs: until it is stopped, or its burst is over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from qtasks.exc import ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from qtasks._worker.pump import Pump
    from qtasks._worker.worker import Worker
    from qtasks.contracts.broker import BaseBroker

__all__ = ["until_stopped"]

#: Seconds between two looks whether a burst is over.
_LOOK: Final = 0.05


async def until_stopped(worker: Worker, stopping: asyncio.Event, pump: Pump) -> None:
    """Waits until a worker is to stop.

    Args:
        worker: the worker.
        stopping: set when it was asked to.
        pump: its pump.
    """
    if not worker.burst:
        await stopping.wait()
    while not stopping.is_set():
        pump.rested.clear()
        if not pump.idle:
            await _first(stopping, pump.rested)
        elif await _goes_on(stopping, _more_to_do(pump, worker.broker, worker.queues)):
            await _first(stopping)  # whatever it is, this worker did not get it at once
        else:
            return


async def _first(*events: asyncio.Event) -> None:
    """Waits until one of the events is set, for a moment at the most."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _goes_on(stopping: asyncio.Event, look: Coroutine[Any, Any, bool]) -> bool:
    """Returns what a look at the broker tells; a worker that is to stop does not wait for it."""
    looking = asyncio.ensure_future(look)
    waiting = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait([looking, waiting], return_when=asyncio.FIRST_COMPLETED)
        return not looking.done() or looking.result()
    finally:
        looking.cancel()
        waiting.cancel()


async def _more_to_do(pump: Pump, broker: BaseBroker, queues: tuple[str, ...]) -> bool:
    """Tells whether a burst must go on: something is ready, and not paused.

    Args:
        pump: is woken if so.
        broker: the broker.
        queues: the queues of the worker.
    """
    for queue in queues:
        try:
            stats = await broker.stats(queue)
        except ServerUnavailableError:
            return True  # nobody knows; the pump says that the broker is away
        if stats.ready and not stats.paused:
            pump.wake()
            return True
    return not pump.idle
