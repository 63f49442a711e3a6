"""When was the last outcome recorded?  When the worker began to say no more than an idle one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["QUIET", "Look", "wait_until_quiet"]

#: Seconds between two looks.
LOOK: Final = 0.005
#: Seconds for which a worker that has recorded everything says little.
QUIET: Final = 1.0
#: Seconds after which a worker that never falls silent is taken as it is.
LONGEST: Final = 20.0


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
    """Waits, and returns the first look after which the worker was quiet.

    Args:
        said: counts what the worker has said so far, such as commands to a server.
        noise: as much an idle worker may say while it counts as quiet.
        clock: seconds.
        sleep: waits so many seconds.
    """
    looks = [Look(clock(), said())]
    began = looks[0].time
    while looks[-1].time - looks[0].time < QUIET and looks[-1].time - began < LONGEST:
        sleep(LOOK)
        looks.append(Look(clock(), said()))
        while looks[-1].said - looks[0].said > noise:
            del looks[0]
    return looks[0]
