"""Waiting until a database may have changed.

A bell tells at once. For those who could not ring it, SQLite's count of commits is looked at every
few milliseconds after something happened, and ever less often while nothing does.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from qtasks.adapters.sqlite.wake import ANYTHING, READY, Bell

if TYPE_CHECKING:
    from qtasks.adapters.sqlite.database import Database
    from qtasks.typing import Clock

__all__ = ["Deadline", "Lookout"]

#: Seconds between two looks, soon after something happened and long after.
_SHORTEST: Final = 0.005
_LONGEST: Final = 0.25


class Deadline:
    """The end of a wait: in real time, or earlier if the database's clock runs ahead of it.

    Args:
        clock: of the database; tests move it on.
        seconds: until the end.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._there = clock.monotonic() + seconds
        self._here = time.monotonic() + seconds

    def left(self) -> float:
        """Returns the seconds that are left, 0 or less when it is over."""
        return min(self._here - time.monotonic(), self._there - self._clock.monotonic())


class Lookout:
    """The place of one waiting thread.

    Args:
        database: what it waits for.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pause = _SHORTEST
        self._version: int | None = None
        self.bell: Final = Bell(database.path)

    def arm(self) -> None:
        """Remembers how things stand; must be called before the look that :meth:`wait` follows."""
        self._version = self._database.version()

    def wait(self, deadline: Deadline, due: float | None = None) -> int:
        """Waits until something may have happened, and returns what, or 0 at the deadline.

        Args:
            deadline: when to give up.
            due: a time of the database's clock at which a task becomes ready by itself.

        Raises:
            ServerError: the database cannot be read any more.
        """
        clock = self._database.clock
        while True:
            pause = min(self._pause, deadline.left())
            if due is not None:
                pause = min(pause, due - clock.time())
            heard = self.bell.wait(max(pause, 0.0))
            if not heard and self._database.version() != self._version:
                heard = ANYTHING
            if heard & ANYTHING:
                self._pause = _SHORTEST
            if heard:
                return heard
            if due is not None and clock.time() >= due:
                return READY
            if deadline.left() <= 0:
                return 0
            self._pause = min(self._pause * 2, _LONGEST)

    def wait_for(self, kind: int, deadline: Deadline, due: float | None = None) -> None:
        """Waits as :meth:`wait` does, and returns early only for something of a kind.

        After the ring of another kind the count of commits no longer fits, so that the next look
        at it ends the wait; that may be needless, but nothing is missed.
        """
        while True:
            heard = self.wait(deadline, due)
            if not heard or heard & kind:
                return

    def close(self) -> None:
        """Gives up the place."""
        self.bell.close()
