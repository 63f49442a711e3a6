"""When was the last outcome recorded?  When the worker began to say no more than an idle one.

It is asked when all tasks have begun.
What is left to record then comes without a pause, and is over long before the watch is.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PAUSE", "WATCH", "Look", "wait_until_quiet"]

#: Seconds between two looks.
LOOK: Final = 0.003
#: Seconds for which the worker is watched; in the second half it is idle.
WATCH: Final = 1.2
#: Seconds for which a worker that has recorded everything is as quiet as an idle one.
PAUSE: Final = 0.3
#: An idle worker does not always say equally much.
SLACK: Final = 1.25


class Look(NamedTuple):
    """What was seen at one time."""

    time: float  # seconds, on the monotonic clock
    said: int


def wait_until_quiet(
    said: Callable[[], int],
    noise: int,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Look:
    """Watches, and returns the first look after which the worker paused.

    Args:
        said: counts what the worker has said so far, such as commands to a server.
        noise: what an idle worker may say at once.
        clock: seconds.
        sleep: waits so many seconds.
    """
    looks = [Look(clock(), said())]
    while looks[-1].time - looks[0].time < WATCH:
        sleep(LOOK)
        looks.append(Look(clock(), said()))
    middle = next(look for look in looks if look.time >= looks[0].time + WATCH / 2)
    idle = (looks[-1].said - middle.said) / (looks[-1].time - middle.time)
    allowed = noise + idle * PAUSE * SLACK
    later = 0
    for look in looks:
        while looks[later].time < look.time + PAUSE and later < len(looks) - 1:
            later += 1
        if looks[later].said - look.said <= allowed:
            return look
    return looks[-1]
