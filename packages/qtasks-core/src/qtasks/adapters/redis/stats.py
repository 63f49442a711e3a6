"""Counts, read from the answer of a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.adapters.redis.times import seconds
from qtasks.schemas import QueueStats

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["stats_of"]


def stats_of(queue: str, answer: Sequence[int]) -> QueueStats:
    """Returns how a queue stands.

    Args:
        queue: its name.
        answer: what ``stats.lua`` returns; −1 stands for no time.
    """
    ready, delayed, leased, dead, paused, oldest, started, next_due, *rest = answer
    finished, dropped, now = rest
    return QueueStats(
        queue,
        ready=ready,
        delayed=delayed,
        leased=leased,
        dead=dead,
        paused=bool(paused),
        oldest_ready_age=_age(oldest, now),
        oldest_lease_age=_age(started, now),
        next_due_in=None if next_due < 0 else seconds(max(next_due - now, 0)),
        finished=finished,
        dropped=dropped,
    )


def _age(since: int, now: int) -> float | None:
    return None if since < 0 else seconds(max(now - since, 0))
