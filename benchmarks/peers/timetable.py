"""When tasks arrive in an open loop: at times that were fixed before the first of them was added.

A producer that waits for the last answer before it sends the next task sends less while the queue
is slow, and so does not see how slow it was (coordinated omission).
Here a task that is added late is late: its wait counts from the time it should have been added at.
"""

from __future__ import annotations

import random

__all__ = ["idle_arrivals", "steady_arrivals"]


def steady_arrivals(tasks: int, rate: float) -> list[int]:
    """Returns so many times at equal distances, in ns after the start.

    Args:
        tasks: how many.
        rate: tasks a second.
    """
    return [round(number * 1e9 / rate) for number in range(tasks)]


def idle_arrivals(tasks: int, pause: float, seed: int) -> list[int]:
    """Returns times that lie 0.5 to 1.5 pauses apart, in ns after the start.

    A pause that is always the same could keep step with a worker that polls.

    Args:
        tasks: how many.
        pause: seconds on average, in which the worker has nothing to do.
        seed: decides the pauses.
    """
    chance = random.Random(seed)
    times, now = [], 0.0
    for _ in range(tasks):
        now += pause * chance.uniform(0.5, 1.5)
        times.append(round(now * 1e9))
    return times
