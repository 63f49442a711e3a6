"""Notices children in which nothing runs any more, so that they are ended and replaced."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Silence", "Speaker"]

log = logging.getLogger("qtasks.supervisor")

#: Seconds between two beats.
_BEAT: Final = 1.0
#: Beats without a word after which a child is asked for one.
_ASK: Final = 2
#: Seconds beyond a lease after which a silent child is given up.
_GRACE: Final = 5.0


class Speaker(Protocol):
    """A child, as far as it concerns this module."""

    number: int
    pid: int
    worker: str | None
    silent: int

    def ask(self) -> None:
        """Has the child say something, from a thread that does nothing else."""
        ...


class Silence:
    """Counts for how many beats each child has said nothing.

    A child whose loop is blocked answers all the same, from another thread. One that does not
    answer for longer than a lease runs code that never lets another thread run, or stands still;
    what it held was taken back meanwhile, so nothing is lost by its end.

    It counts beats of its own and compares no times: after the machine was suspended, nobody has
    been silent for long.

    Args:
        lease: seconds of a lease.
        children: tells who lives.
        give_up: ends a child.
    """

    def __init__(
        self,
        lease: float,
        children: Callable[[], Iterable[Speaker]],
        give_up: Callable[..., object],
    ) -> None:
        self._limit = math.ceil((lease + _GRACE) / _BEAT)
        self._children = children
        self._give_up = give_up

    async def watch(self) -> None:
        """Beats until it is cancelled."""
        while True:
            await asyncio.sleep(_BEAT)
            self.beat()

    def beat(self) -> None:
        """Counts one beat for every child that has loaded its app."""
        for child in self._children():
            if child.worker is None:
                continue
            child.silent += 1
            if child.silent == _ASK:
                child.ask()
            if child.silent == self._limit:
                log.error(
                    "[%d] Process %d does not answer for %d s and is killed; code in it lets no"
                    " other thread run: give such a task pool='process' and max_time",
                    child.number,
                    child.pid,
                    round(self._limit * _BEAT),
                )
                self._give_up(child)
