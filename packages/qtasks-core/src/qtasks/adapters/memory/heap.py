"""A heap of rows from which a row can be withdrawn."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtasks.adapters.memory.row import Row

__all__ = ["Heap"]

#: Withdrawn entries that are tolerated whatever the size of the heap.
SLACK = 64


class Heap:
    """Rows ordered by a time, then by the order of their creation.

    A withdrawn row leaves its entry behind, which is dropped when it comes up; once such entries
    outnumber the rows the heap is rebuilt, so all operations stay O(log n) on average.
    """

    __slots__ = ("_entries", "_live")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Row]] = []
        self._live: dict[int, tuple[float, int, Row]] = {}

    def __len__(self) -> int:
        return len(self._live)

    def push(self, when: float, row: Row) -> None:
        """Adds a row; to move it, withdraw it first."""
        entry = (when, row.seq, row)
        self._live[row.seq] = entry
        heappush(self._entries, entry)

    def withdraw(self, row: Row) -> None:
        """Removes a row; harmless if it is not there."""
        if self._live.pop(row.seq, None) is None:
            return
        if len(self._entries) > 2 * len(self._live) + SLACK:
            self._entries = list(self._live.values())
            heapify(self._entries)

    def first(self) -> float | None:
        """Returns the earliest time, or None if the heap is empty."""
        entries, live = self._entries, self._live
        while entries:
            entry = entries[0]
            if live.get(entry[1]) is entry:
                return entry[0]
            heappop(entries)
        return None

    def pop(self) -> Row:
        """Removes the earliest row and returns it.

        Raises:
            IndexError: the heap is empty.
        """
        entries, live = self._entries, self._live
        while True:
            entry = heappop(entries)
            if live.get(entry[1]) is entry:
                del live[entry[1]]
                return entry[2]

    def pop_due(self, now: float) -> Row | None:
        """Removes and returns the earliest row if its time has come."""
        first = self.first()
        return self.pop() if first is not None and first <= now else None

    def rows(self) -> Iterable[Row]:
        """Lists the rows in the order they were added."""
        return [entry[2] for entry in self._live.values()]
