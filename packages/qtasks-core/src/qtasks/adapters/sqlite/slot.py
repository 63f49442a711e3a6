"""A connection and the lock that keeps it to one thread at a time."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

__all__ = ["Slot", "close_all"]

#: Seconds to wait at exit for a transaction that another thread is in.
_EXIT_PATIENCE: Final = 1.0

#: Connections that came into this process by a fork Python knew nothing of. To close them, or to
#: let the garbage collector do it, would harm the process they belong to.
_inherited: list[sqlite3.Connection] = []


class Slot:
    """A place for a connection that is opened when it is first needed.

    Attributes:
        lock: must be held while the connection is used, opened or closed.
        conn: the connection, or None.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.conn: sqlite3.Connection | None = None

    def close(self) -> None:
        """Closes the connection, if there is one."""
        with self.lock:
            conn, self.conn = self.conn, None
            if conn is not None:
                conn.close()

    def abandon(self) -> None:
        """Forgets a connection of another process without touching it."""
        if self.conn is not None:
            _inherited.append(self.conn)
            self.conn = None

    def hold(self, seconds: float) -> bool:
        """Closes the connection and keeps the lock; returns whether it could."""
        if not self.lock.acquire(timeout=seconds):
            return False
        self.close()
        return True

    def let_go(self) -> None:
        """Gives back what :meth:`hold` keeps, in the parent and in the child of a fork."""
        self.lock.release()


def close_all(slots: Iterable[Slot], pid: int) -> None:
    """Closes connections at the end of the process that opened them."""
    if os.getpid() != pid:
        return
    for slot in slots:
        if slot.lock.acquire(timeout=_EXIT_PATIENCE):
            try:
                slot.close()
            finally:
                slot.lock.release()
