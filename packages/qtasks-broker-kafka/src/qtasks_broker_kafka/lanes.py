"""Records that were fetched and wait for a worker, in one lane for each queue.

The lanes are where threads meet: one fills them from the log, others take from them and settle.
One lock guards them and the trackers; nobody holds it for longer than a few steps.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from qtasks_broker_kafka.bell import Bell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qtasks.schemas import Message
    from qtasks_broker_kafka.tracker import Tracker

__all__ = ["Lanes", "Order", "Place", "Record"]

#: How the tasks of a queue are ordered.
Order: TypeAlias = Literal["unordered", "key", "partition"]

#: A topic and one of its partitions.
Place: TypeAlias = tuple[str, int]

#: Bytes and records of a partition that wait here at the most; then it is not fetched from.
_MANY_BYTES: Final = 16 * 1024 * 1024
_MANY: Final = 4000


class Record:
    """A task in a log.

    Attributes:
        message: the task.
        place: where it is.
        offset: likewise.
        timestamp: when it was written, seconds since the epoch.
        tracker: who follows its partition.
        size: bytes that it takes.
        line: what it is in line with, or None if it is in no line.
        malformed: why it cannot be read, or None.
        handed: how often it was handed out.
    """

    __slots__ = (
        "handed", "line", "malformed", "message", "offset", "place", "size", "timestamp", "tracker",
    )  # fmt: skip

    def __init__(
        self,
        message: Message,
        place: Place,
        offset: int,
        *,
        timestamp: float,
        tracker: Tracker,
        size: int = 0,
        key: bytes | None = None,
        order: Order = "unordered",
        malformed: str | None = None,
    ) -> None:
        self.message = message
        self.place = place
        self.offset = offset
        self.timestamp = timestamp
        self.tracker = tracker
        self.size = size
        self.line = place if order == "partition" else key if order == "key" else None
        self.malformed = malformed
        self.handed = 0


class _Lane:
    """The records of one queue: those that may run now, and those in line behind another."""

    def __init__(self) -> None:
        self.ready: deque[Record] = deque()
        self.lines: dict[object, deque[Record]] = {}

    def put(self, record: Record) -> None:
        if record.line is None:
            self.ready.append(record)
        elif (line := self.lines.get(record.line)) is not None:
            line.append(record)
        else:
            self.lines[record.line] = deque()
            self.ready.append(record)

    def advance(self, record: Record) -> bool:
        """Lets the next in line be ready; returns whether there is one."""
        if record.line is None or (line := self.lines.get(record.line)) is None:
            return False
        if line:
            self.ready.append(line.popleft())
            return True
        del self.lines[record.line]
        return False

    def drop(self, lost: Callable[[Record], bool]) -> list[Record]:
        """Takes out all records that are lost and wait; returns them."""
        dropped: list[Record] = []
        for line in self.lines.values():
            dropped += [record for record in line if lost(record)]
            kept = [record for record in line if not lost(record)]
            line.clear()
            line.extend(kept)
        first = [record for record in self.ready if lost(record)]
        self.ready = deque(record for record in self.ready if not lost(record))
        for record in first:
            self.advance(record)
        return [*dropped, *first]


class Lanes:
    """All lanes of a process; safe to use from any thread.

    Attributes:
        lock: guards them, and the trackers.
        bell: rings whenever there is something to take.
        paused: queues from which nothing is taken.
        hungry: called in any thread when a partition that was full may be fetched from again.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.lock = threading.Lock()
        self.bell = Bell()
        self.paused: frozenset[str] = frozenset()
        self.hungry: Callable[[], None] = _nothing
        self._monotonic = monotonic
        self._lanes: dict[str, _Lane] = {}
        self._parked: list[tuple[float, Record]] = []
        self._counts: Counter[Place] = Counter()
        self._bytes: Counter[Place] = Counter()

    def put(self, queue: str, records: Iterable[Record]) -> None:
        """Lines up records."""
        with self.lock:
            lane = self._lanes.setdefault(queue, _Lane())
            for record in records:
                self._counts[record.place] += 1
                self._bytes[record.place] += record.size
                lane.put(record)
        self.bell.ring()

    def take(self, queues: Sequence[str], limit: int) -> list[Record]:
        """Takes records, from the first queue first."""
        taken: list[Record] = []
        with self.lock:
            self._unpark()
            for queue in queues:
                lane = self._lanes.get(queue)
                if lane is None or queue in self.paused:
                    continue
                while lane.ready and len(taken) < limit:
                    taken.append(lane.ready.popleft())
            full = False
            for record in taken:
                full = full or self._is_full(record.place)
                self._uncount(record)
                record.handed += 1
                record.tracker.begin(record.offset)
        if full:
            self.hungry()
        return taken

    def done(self, records: Iterable[Record]) -> None:
        """Notes that records are done; the next in their lines may run."""
        rings = False
        with self.lock:
            for record in records:
                record.tracker.done(record.offset)
                if (lane := self._lanes.get(record.message.queue)) is not None:
                    rings |= lane.advance(record)
        if rings:
            self.bell.ring()

    def give_back(self, record: Record, delay: float) -> None:
        """Takes a record back that is not done, to be handed out again after ``delay`` seconds."""
        with self.lock:
            if record.message.queue not in self._lanes:  # handed out before the last stop
                return
            self._count(record)
            self._parked.append((self._monotonic() + delay, record))
        self.bell.ring()

    def drop(self, places: frozenset[Place]) -> None:
        """Forgets the records of partitions that belong to others now, unless they run here."""
        with self.lock:
            for lane in self._lanes.values():
                for record in lane.drop(lambda one: one.place in places):
                    self._uncount(record)
            for until, record in [*self._parked]:
                if record.place in places:
                    self._parked.remove((until, record))
                    self._uncount(record)
                    self._lanes[record.message.queue].advance(record)

    def waiting(self, queues: Sequence[str]) -> bool:
        """Tells whether there is something to take."""
        with self.lock:
            self._unpark()
            return any(
                lane.ready and queue not in self.paused
                for queue in queues
                if (lane := self._lanes.get(queue)) is not None
            )

    def next_in(self) -> float | None:
        """Returns in how many seconds a record that was given back may be taken, or None."""
        with self.lock:
            if not self._parked:
                return None
            return max(0.0, min(until for until, _ in self._parked) - self._monotonic())

    def full(self, place: Place) -> bool:
        """Tells whether enough of a partition waits here."""
        with self.lock:
            return self._is_full(place)

    def waiting_of(self, place: Place) -> int:
        """Returns how many records of a partition wait here."""
        with self.lock:
            return self._counts[place]

    def _unpark(self) -> None:
        if not self._parked:
            return
        now = self._monotonic()
        due = [record for until, record in self._parked if until <= now]
        self._parked = [one for one in self._parked if one[0] > now]
        for record in reversed(due):
            self._lanes[record.message.queue].ready.appendleft(record)

    def _is_full(self, place: Place) -> bool:
        return self._counts[place] >= _MANY or self._bytes[place] >= _MANY_BYTES

    def _count(self, record: Record) -> None:
        self._counts[record.place] += 1
        self._bytes[record.place] += record.size

    def _uncount(self, record: Record) -> None:
        self._counts[record.place] -= 1
        self._bytes[record.place] -= record.size


def _nothing() -> None:
    """Stands for a callback that nobody has set."""
