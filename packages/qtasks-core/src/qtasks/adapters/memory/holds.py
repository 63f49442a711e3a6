"""Unique keys, and the tasks that hold them."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qtasks.adapters.memory.row import Row

__all__ = ["Holds"]


class Hold:
    """One key in somebody's hands.

    Attributes:
        row: the task; it may be over by now, and its record gone.
        until: when the key is free, if that is decided; None while it depends on the task.
    """

    __slots__ = ("row", "until")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.until: float | None = None


class Holds:
    """Who holds which key, and until when.

    A key is looked at when somebody wants it, so that starting a task frees nothing by itself.
    """

    def __init__(self) -> None:
        self._holds: dict[str, Hold] = {}
        self._ends: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._holds)

    def clear(self) -> None:
        """Frees all keys."""
        self._holds.clear()
        self._ends.clear()

    def holder(self, key: str | None, now: float) -> Row | None:
        """Returns the task that holds a key."""
        hold = None if key is None else self._holds.get(key)
        if hold is None:
            return None
        row = hold.row
        if hold.until is not None:
            return row if hold.until > now else None
        if row.message.unique_until == "started" and row.deliveries:
            return None
        late = row.lease_until is None and row.expires_at is not None and row.expires_at <= now
        return None if late else row

    def take(self, key: str, row: Row, now: float) -> None:
        """Gives a key to a task, whoever had it."""
        hold = self._holds[key] = Hold(row)
        if row.message.unique_until == "added":
            self._end(key, hold, now + row.message.unique_window)

    def ended(self, row: Row, now: float) -> None:
        """Frees the key of a task that is over, at once or after its window."""
        key = row.unique_key
        hold = None if key is None else self._holds.get(key)
        if key is None or hold is None or hold.row is not row or hold.until is not None:
            return
        if row.message.unique_window > 0 and row.message.unique_until == "finished":
            self._end(key, hold, now + row.message.unique_window)
        else:
            del self._holds[key]

    def free(self, row: Row) -> None:
        """Frees the key of a task that was taken away unfinished, whatever its window."""
        key = row.unique_key
        if key is not None and (hold := self._holds.get(key)) is not None and hold.row is row:
            del self._holds[key]

    def sweep(self, now: float) -> None:
        """Forgets what is over, so that keys that are never wanted again do not pile up."""
        while self._ends and self._ends[0][0] <= now:
            until, key = heappop(self._ends)
            hold = self._holds.get(key)
            if hold is not None and hold.until == until:
                del self._holds[key]

    def _end(self, key: str, hold: Hold, until: float) -> None:
        hold.until = until
        heappush(self._ends, (until, key))
