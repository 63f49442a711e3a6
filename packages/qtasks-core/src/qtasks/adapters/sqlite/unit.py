"""One job inside a transaction: what it sees, and what has to follow once it is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtasks.adapters.sqlite.states import TALLY

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Unit"]

_COUNT: Final = """
    INSERT INTO queue (name, published, ready, delayed, leased, finished, dead, dropped)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET
        published = max(published, excluded.published),
        ready = ready + excluded.ready,
        delayed = delayed + excluded.delayed,
        leased = leased + excluded.leased,
        finished = finished + excluded.finished,
        dead = dead + excluded.dead,
        dropped = dropped + excluded.dropped
"""

_PUBLISHED: Final = 0
_FIRST_COUNT: Final = 1
_DEAD: Final = 5
_DROPPED: Final = 6


class Unit:
    """The connection of a job, its time, and its notes for the time after.

    Every change of a row's state is reported to :meth:`moved`, so that the counts of a queue need
    no counting.

    Attributes:
        conn: the connection, inside a transaction.
        now: seconds since the epoch, the same for the whole job.
        ready: set if a claim may find more than before.
        ended: set if a task became terminal or its record went away.
        streamed: set if a task gave values.
    """

    __slots__ = ("_moves", "conn", "ended", "now", "ready", "streamed")

    def __init__(self, conn: sqlite3.Connection, now: float) -> None:
        self.conn = conn
        self.now = now
        self.ready = False
        self.ended = False
        self.streamed = False
        self._moves: dict[str, list[int]] = {}

    def moved(self, queue: str, old: int | None, new: int | None, count: int = 1) -> None:
        """Notes that rows of a queue went from one state to another; None stands for no row."""
        move = self._move(queue)
        before = None if old is None else TALLY[old]
        after = None if new is None else TALLY[new]
        if before is not None:
            move[_FIRST_COUNT + before] -= count
        if after is not None:
            move[_FIRST_COUNT + after] += count

    def died(self, queue: str, count: int = 1) -> None:
        """Notes that a queue has more dead letters, or fewer."""
        self._move(queue)[_DEAD] += count

    def letters(self, queue: str) -> int:
        """Returns how many dead letters a queue has gained in this job, below 0 if it lost some."""
        return self._move(queue)[_DEAD]

    def dropped(self, queue: str, count: int = 1) -> None:
        """Notes that dead letters of a queue went unseen."""
        move = self._move(queue)
        move[_DEAD] -= count
        move[_DROPPED] += count

    def published(self, queue: str) -> None:
        """Notes that a queue exists."""
        self._move(queue)[_PUBLISHED] = 1

    def tokens(self, count: int = 1) -> int:
        """Returns the first of ``count`` numbers in a row, larger than any token before."""
        (last,) = self.conn.execute("SELECT last FROM token").fetchone()
        self.conn.execute("UPDATE token SET last = ?", (last + count,))
        return int(last) + 1

    def close(self) -> None:
        """Writes the counts; the last step of every job."""
        if self._moves:
            self.conn.executemany(
                _COUNT, [(name, *move) for name, move in self._moves.items() if any(move)]
            )
            self._moves = {}

    def forget(self) -> None:
        """Drops the notes about counts, because the tables were made anew."""
        self._moves = {}

    def _move(self, queue: str) -> list[int]:
        move = self._moves.get(queue)
        if move is None:
            move = self._moves[queue] = [0] * 7
        return move
