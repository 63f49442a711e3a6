"""Which records of a partition are done, and up to where that may be committed.

Tasks end in any order, and a log knows one number: everything before it is done. So the number to
commit is the offset of the first record that is not, in the order in which they came.
"""

from __future__ import annotations

from collections import deque

from qtasks_broker_kafka.offset_map import OffsetMap, encode_map

__all__ = ["Tracker"]


class Tracker:
    """Follows one partition for as long as it is assigned to this process.

    Every call takes constant time on average. It is not safe to use from several threads.

    Args:
        committed: the offset that is committed, or None if none is.
        known: what is known to be done beyond it.

    Attributes:
        next: the offset to fetch next; None until something is known.
        acknowledged: the offset that the server said is committed, or None if it never did.
    """

    def __init__(self, committed: int | None = None, known: OffsetMap | None = None) -> None:
        self.next = committed
        self.acknowledged = committed
        self._committed = committed
        self._known = known or OffsetMap(committed or 0)
        self._order: deque[int] = deque()
        self._open: set[int] = set()
        self._begun: set[int] = set()
        self._closed = False
        self._map = ""

    def add(self, offset: int) -> bool:
        """Takes notice of a record; returns whether it is to be handed out.

        It is not if it came before, or is known to be done.
        """
        if self._closed or (self.next is not None and offset < self.next):
            return False
        if self.next is None:
            self._committed = offset  # the log begins here; there is no news in that
        self.next = offset + 1
        if self._known.done(offset):
            return False
        self._order.append(offset)
        self._open.add(offset)
        return True

    def begin(self, offset: int) -> None:
        """Notes that somebody began with a record."""
        self._begun.add(offset)

    def done(self, offset: int) -> bool:
        """Notes that a record is done; returns False if that is no longer this tracker's."""
        self._begun.discard(offset)
        if self._closed or offset not in self._open:
            return False
        self._open.remove(offset)
        return True

    def close(self) -> None:
        """Ends it: the partition belongs to another process, and its commits too."""
        self._closed = True

    def forward(self, committed: int) -> None:
        """Takes notice that another process committed up to here while we were away."""
        if self.base is not None and committed <= self.base:
            return
        while self._order and self._order[0] < committed:
            self._open.discard(self._order.popleft())
        self.next = max(committed, self.next or 0)
        self._committed = max(committed, self._committed or 0)
        self.acknowledged = self._committed

    @property
    def base(self) -> int | None:
        """The offset before which everything is done; None until something is known."""
        while self._order and self._order[0] not in self._open:
            self._order.popleft()
        return self._order[0] if self._order else self.next

    @property
    def unfinished(self) -> int:
        """How many records came and are not done."""
        return len(self._open)

    @property
    def span(self) -> int:
        """How many records came from the first unfinished one on."""
        return len(self._order) if self.base is not None else 0

    def commit(self) -> tuple[int, str] | None:
        """Returns offset and map to commit, or None if that is no news."""
        base = self.base
        if self._closed or base is None:
            return None
        text = self._text(base)
        if base == self._committed and text == self._map:
            return None
        return base, text

    def committed(self, offset: int, text: str = "") -> None:
        """Notes what was committed."""
        self._committed, self._map = offset, text
        self.acknowledged = offset

    def outdated(self, committed: int | None, end: int) -> bool:
        """Tells whether the log is another one than before: its topic was removed and made anew.

        Args:
            committed: what the group has committed there, or None.
            end: the offset that the next record gets.
        """
        if committed is not None:
            return self.acknowledged is not None and committed < self.acknowledged
        return self.acknowledged is not None or end < (self.next or 0)

    def _text(self, base: int) -> str:
        if not self._order or self.next is None or len(self._order) == len(self._open):
            return ""
        still_open = sorted(self._open)
        end = self.next
        while still_open and still_open[-1] not in self._begun:  # the map may as well end there
            end = still_open.pop()
        return encode_map(base, end, still_open)
