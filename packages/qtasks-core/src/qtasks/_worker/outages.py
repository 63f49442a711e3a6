"""What a worker does when its broker is away, or an answer of it came late."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Final

from qtasks.schemas import Exchange, Held

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker

__all__ = ["pause_after", "still_ours"]

log = logging.getLogger("qtasks.worker")

#: The longest pause between two attempts to reach a broker that is away: work goes on within half
#: a second of its return.
_MAX_BACKOFF: Final = 0.4
#: After so many attempts, half a minute at least, nobody expects it at any moment any more ...
_MANY_FAILURES: Final = 100
#: ... and pauses may be longer.
_MAX_LATE_BACKOFF: Final = 2.0


def pause_after(failures: int) -> float:
    """Returns the seconds until a broker is tried again.

    Args:
        failures: attempts in a row that have failed.
    """
    longest = _MAX_BACKOFF if failures <= _MANY_FAILURES else _MAX_LATE_BACKOFF
    pause = min(longest, 0.05 * 2 ** min(failures, 10))
    return random.uniform(0.5 * pause, pause)  # noqa: S311 - spreads workers, no secret


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
