"""What a worker does when its broker is away, or an answer of it came late."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from typing import TYPE_CHECKING, Final

from qtasks.schemas import Exchange, Held

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker
    from qtasks.exc import ServerError

__all__ = ["Outages", "still_ours"]

log = logging.getLogger("qtasks.worker")

#: The longest pause between two attempts to reach a broker that is away: work goes on within half
#: a second of its return.
_MAX_BACKOFF: Final = 0.4
#: After so many attempts, half a minute at least, nobody expects it at any moment any more ...
_MANY_FAILURES: Final = 100
#: ... and pauses may be longer.
_MAX_LATE_BACKOFF: Final = 2.0
#: The longest of these pauses while the worker stops.
_LAST_PAUSE: Final = 0.2


class Outages:
    """Times in which the broker is away.

    Args:
        hurry: set when there is reason not to wait longer.

    Attributes:
        moved_at: when the broker was last asked or has last answered, on the monotonic clock.
    """

    def __init__(self, hurry: asyncio.Event) -> None:
        self._hurry = hurry
        self._failures = 0
        self.moved_at = time.monotonic()

    @property
    def away(self) -> bool:
        """Whether the last call failed."""
        return self._failures > 0

    async def failed(self, error: ServerError, *, draining: bool) -> None:
        """Notes that a call failed, and waits before the next: longer from time to time.

        Args:
            error: what it failed with.
            draining: whether the worker stops, so that the wait has to be short.
        """
        self._failures += 1
        if self._failures == 1:
            log.warning("The broker is away, its work waits: %s", error)
        longest = _MAX_BACKOFF if self._failures <= _MANY_FAILURES else _MAX_LATE_BACKOFF
        pause = min(longest, 0.05 * 2 ** min(self._failures, 10))
        pause = random.uniform(0.5 * pause, pause)  # noqa: S311 - spreads workers, no secret
        if draining:  # in a hurry, but not in a frenzy
            await asyncio.sleep(min(pause, _LAST_PAUSE))
        else:
            await self.pause(pause)

    def answered(self) -> None:
        """Notes that the broker has answered."""
        self.moved_at = time.monotonic()
        if self._failures:
            log.info("The broker is back after %d attempts", self._failures)
            self._failures = 0

    async def pause(self, seconds: float) -> None:
        """Waits, but not when there is reason to hurry."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()


async def still_ours(broker: BaseBroker, answer: Exchange, lease: float) -> Exchange:
    """Leaves out of an answer what was taken back before it was read.

    That was late: the process stood still, or code blocked its loop.

    Args:
        broker: the broker.
        answer: its answer.
        lease: seconds for which the leases are renewed.

    Raises:
        ServerError: the broker does not say what is still ours.
    """
    held = [Held(d.id, d.token, d.message.queue) for d in answer.deliveries]
    if not held:
        return answer
    lost = frozenset((await broker.extend(held, lease)).lost)
    if lost:
        log.warning("%d tasks came too late and are left to other workers", len(lost))
    ours = tuple(d for d in answer.deliveries if d.id not in lost)
    return Exchange(answer.refused, ours)
