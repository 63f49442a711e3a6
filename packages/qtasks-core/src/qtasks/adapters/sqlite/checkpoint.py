"""Copying the write-ahead log into the database.

SQLite before 3.51.3 can corrupt a file when a checkpoint runs while another connection commits and
starts the log anew. So automatic checkpoints are off, and ours hold the write lock through one
connection while another one copies: nobody can commit meanwhile, so nobody can start anew.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from pathlib import Path
from typing import Final

from qtasks.adapters.sqlite import faults
from qtasks.adapters.sqlite.opening import WAL_LIMIT_PAGES

__all__ = ["Checkpointer"]

logger = logging.getLogger("qtasks.sqlite")

#: Seconds after which even a short log is copied.
_INTERVAL: Final = 10.0

_FRAME_HEADER: Final = 24
_WAL_HEADER: Final = 32


class Checkpointer:
    """Decides when the log of one database is copied, and does it.

    Args:
        path: of the database.
    """

    def __init__(self, path: str) -> None:
        self._wal = Path(f"{path}-wal")
        self._limit = 0
        self._next = time.monotonic() + _INTERVAL
        self._copied = 0

    def limit_size(self, conn: sqlite3.Connection) -> None:
        """Has a connection cut the log back to the limit when it starts it anew.

        A log is overwritten from its beginning and keeps its length, which would tell nothing. With
        this limit a longer file means that so much waits to be copied.
        """
        (page,) = conn.execute("PRAGMA page_size").fetchone()
        self._limit = WAL_LIMIT_PAGES * (page + _FRAME_HEADER) + _WAL_HEADER
        conn.execute(f"PRAGMA journal_size_limit = {self._limit}").fetchall()

    def due(self) -> bool:
        """Tells whether the log is long, or was last copied long ago."""
        size = self._size()
        if size <= self._limit:
            self._copied = 0
        # The commit after a copy cuts the log, unless somebody reads in it. Then there is nothing
        # to be gained before it has grown by some more.
        patience = self._copied + self._limit // 4 if self._copied else self._limit
        return size > patience or time.monotonic() >= self._next

    def run(self, writer: sqlite3.Connection, other: sqlite3.Connection) -> None:
        """Copies what can be copied; if somebody is in the way, a later commit tries again."""
        try:
            writer.execute("BEGIN IMMEDIATE")
            try:
                row = other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            finally:
                writer.execute("ROLLBACK")
            logger.debug("checkpoint of %s: busy, pages, copied = %s", self._wal, row)
        except sqlite3.Error as error:
            level = logging.DEBUG if faults.is_busy(error) else logging.WARNING
            logger.log(level, "checkpoint of %s put off: %s", self._wal, error)
        self._next = time.monotonic() + _INTERVAL
        self._copied = self._size()

    def _size(self) -> int:
        """Returns the length of the log; asking for it opens no descriptor."""
        try:
            return self._wal.stat().st_size
        except OSError:
            return 0
