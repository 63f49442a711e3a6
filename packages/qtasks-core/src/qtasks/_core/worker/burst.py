"""When a burst is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.exc import ServerUnavailableError

if TYPE_CHECKING:
    from qtasks._core.worker.pump import Pump
    from qtasks.contracts.broker import BaseBroker

__all__ = ["more_to_do"]


async def more_to_do(pump: Pump, broker: BaseBroker, queues: tuple[str, ...]) -> bool:
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
