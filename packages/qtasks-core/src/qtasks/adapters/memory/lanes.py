"""The waiting tasks of one queue."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

from qtasks.adapters.memory.heap import Heap

if TYPE_CHECKING:
    from qtasks.adapters.memory.row import Row

__all__ = ["ORDINARY", "RETURNED", "SUSPECT", "Lanes"]

#: Ranks within a priority, the first one first. Only what was taken back has losses, so the
#: suspects stand together and a claim that may not have any passes them by in one step.
SUSPECT, RETURNED, ORDINARY = range(3)


class Lanes:
    """What waits in one queue: a lane for each priority and rank, and the delayed tasks.

    Attributes:
        delayed: tasks whose time has not come, by the time it does.
        leased: how many tasks of this queue workers hold.
        finished: how many finished tasks of it have a record.
        dead: how many of those are dead letters.
        dropped: how many dead letters went because they were too many or too old.
    """

    __slots__ = ("_keys", "_lanes", "dead", "delayed", "dropped", "finished", "leased")

    def __init__(self) -> None:
        self._lanes: dict[tuple[int, int], Heap] = {}
        self._keys: list[tuple[int, int]] = []
        self.delayed = Heap()
        self.leased = 0
        self.finished = 0
        self.dead = 0
        self.dropped = 0

    def push(self, row: Row, rank: int) -> None:
        """Lets a task wait that may run now."""
        key = (row.message.priority, rank)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Heap()
            insort(self._keys, key)
        lane.push(row.due_at, row)
        row.home = lane

    def delay(self, row: Row) -> None:
        """Lets a task wait until it is due."""
        self.delayed.push(row.due_at, row)
        row.home = self.delayed

    def promote(self, now: float) -> None:
        """Moves the delayed tasks that are due by now to their lanes."""
        while (row := self.delayed.pop_due(now)) is not None:
            self.push(row, ORDINARY)

    def pop(self, *, suspects: bool) -> Row | None:
        """Removes and returns the task that is first in turn, or None.

        Args:
            suspects: whether it may be a suspect.
        """
        at = 0
        while at < len(self._keys):
            key = self._keys[at]
            lane = self._lanes[key]
            if not lane:
                del self._lanes[key], self._keys[at]
            elif key[1] == SUSPECT and not suspects:
                at += 1
            else:
                return lane.pop()
        return None

    def ready(self) -> int:
        """Counts the tasks in the lanes."""
        return sum(map(len, self._lanes.values()))

    def oldest(self) -> float | None:
        """Returns since when the task that waits longest may run, or None."""
        return min(
            (first for lane in self._lanes.values() if (first := lane.first()) is not None),
            default=None,
        )

    def rows(self) -> list[Row]:
        """Lists all waiting tasks, delayed ones included."""
        waiting = [row for lane in self._lanes.values() for row in lane.rows()]
        return [*waiting, *self.delayed.rows()]
