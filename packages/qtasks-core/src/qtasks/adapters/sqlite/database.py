"""One SQLite file and the connections one broker object has to it.

There are up to three: one writes, one reads, one looks whether something changed. Each has a lock
of its own, is opened when it is first needed, and is never used by two threads at a time.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from qtasks.adapters.sqlite import damage, faults, forks, opening, schema
from qtasks.adapters.sqlite.checkpoint import Checkpointer
from qtasks.adapters.sqlite.slot import Slot, close_all
from qtasks.adapters.sqlite.unit import Unit
from qtasks.exc import ServerError

if TYPE_CHECKING:
    from qtasks.adapters.sqlite.url import Target
    from qtasks.typing import Clock

__all__ = ["Database", "Read", "Write"]

logger = logging.getLogger("qtasks.sqlite")

T = TypeVar("T")

#: A job that writes: it runs inside a transaction.
Write: TypeAlias = Callable[[Unit], T]

#: A job that reads: it sees one state of the database, and the time.
Read: TypeAlias = Callable[[sqlite3.Connection, float], T]

#: Seconds that a fork waits for a running transaction.
_FORK_PATIENCE: Final = 30.0


#: Seconds after which a transaction of many jobs ends, so that other processes can write too.
_TURN: Final = 0.05


class Database:
    """The file behind a broker, its storage, or a blocking twin of them.

    Args:
        target: where the file is.
        clock: tells the time that is written.
        committed: is called after a commit with what its jobs noted.
        migrations: the statements of each schema version.
    """

    def __init__(
        self,
        target: Target,
        clock: Clock,
        committed: Callable[[Iterable[Unit]], None],
        migrations: Sequence[Sequence[str]] = schema.MIGRATIONS,
    ) -> None:
        self.path: Final = target.path
        self.clock: Final = clock
        self._target = target
        self._committed = committed
        self._migrations = migrations
        self._opened = False
        self._inode: tuple[int, int] | None = None
        self._held: list[Slot] = []
        self._reset()
        forks.watch_forks(self)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._writer, self._reader, self._watcher = self._slots = Slot(), Slot(), Slot()
        self._checkpointer = Checkpointer(self.path)
        # An object that is never stopped would leave its log behind.
        self._finalizer = weakref.finalize(self, close_all, self._slots, self._pid)

    # Life

    def open(self) -> None:
        """Makes the file ready and opens it; calling it again is harmless.

        Raises:
            ConfigError: the path cannot be used.
            ServerError: the file is damaged or busy.
        """
        self._check_process()
        with self._writer.lock:
            if self._opened:
                return
            opening.prepare(self._target, self._migrations)
            self._inode = self._identity()
            self._opened = True
        logger.debug("opened %s", self.path)

    def close(self) -> None:
        """Closes all connections; calling it again, or before :meth:`open`, is harmless."""
        self._check_process()
        with self._writer.lock:
            self._opened = False
        for slot in self._slots:
            slot.close()

    def before_fork(self) -> None:
        """Closes the connections until :meth:`after_fork`, see :mod:`.forks`."""
        self._check_process()
        self._held = [slot for slot in self._slots if slot.hold(_FORK_PATIENCE)]

    def after_fork(self) -> None:
        """Allows to open connections again, in the parent and in the child."""
        for slot in self._held:
            slot.let_go()
        if len(self._held) < len(self._slots):
            logger.warning("%s was forked in the middle of a transaction", self.path)
            self._check_process()
        elif self._pid != os.getpid():
            self._finalizer.detach()
            self._reset()

    # Work

    def write(self, jobs: Sequence[Write[Any]]) -> list[Any]:
        """Runs jobs in one transaction; returns for each its result or its exception.

        A job that fails is undone by itself and does not harm the others.
        """
        self._check_process()
        results: list[Any] = []
        with self._writer.lock:
            while len(results) < len(jobs):
                results += self._write_some(jobs[len(results) :])
        return results

    def read(self, job: Read[T]) -> T:
        """Runs a job on one unchanging state of the database.

        Raises:
            ServerError: it failed.
        """
        return self._look(self._reader, job)

    def watch(self, job: Read[T]) -> T:
        """Runs a short job, as :meth:`read` does, without waiting for the long ones there.

        Raises:
            ServerError: it failed.
        """
        return self._look(self._watcher, job)

    def version(self) -> int:
        """Returns a number that changes when any other connection commits.

        Raises:
            ServerError: it failed.
        """
        self._check_process()
        with self._watcher.lock, faults.translated(self.path):
            conn = self._connection(self._watcher)
            row = opening.patiently(lambda: conn.execute("PRAGMA data_version").fetchone())
        return int(row[0])

    def flush(self, unit: Unit) -> None:
        """Removes everything; a job for :meth:`write`."""
        schema.rebuild(unit.conn, self._migrations)
        unit.forget()
        unit.ended = True

    # Inside

    def _write_some(self, jobs: Sequence[Write[Any]]) -> list[Any]:
        """Writes some jobs from the start of the list, at least one; returns their results."""
        try:
            with faults.translated(self.path):
                conn = self._connection(self._writer)
                results = self._transact(conn, jobs)
                if any(map(damage.suspected, results)):
                    results = self._mended(conn, jobs, results)
        except ServerError as error:
            if len(jobs) > 1 and not error.retriable:
                # One of them took the others with it; alone, each gets what it deserves.
                return self._write_some(jobs[:1])
            return [error] * len(jobs)
        if self._checkpointer.due():
            self._checkpoint(conn)
        return results

    def _mended(
        self, conn: sqlite3.Connection, jobs: Sequence[Write[Any]], results: list[Any]
    ) -> list[Any]:
        """Puts damaged rows right and runs the jobs again that met one."""
        if self._transact(conn, [damage.mend]) != [True]:
            return results
        logger.warning("%s had damaged rows; their tasks can only fail now", self.path)
        return [
            self._transact(conn, [job])[0] if damage.suspected(result) else result
            for job, result in zip(jobs, results, strict=False)  # the others had no turn yet
        ]

    def _transact(self, conn: sqlite3.Connection, jobs: Sequence[Write[Any]]) -> list[Any]:
        """Runs jobs between BEGIN and COMMIT until others have waited long; tells about it."""
        self._check_file()
        if conn.in_transaction:  # an interrupt struck between BEGIN and what follows
            conn.execute("ROLLBACK")
        opening.patiently(lambda: conn.execute("BEGIN IMMEDIATE"))
        deadline = time.monotonic() + _TURN
        now = self.clock.time()
        units: list[Unit] = []
        results: list[Any] = []
        alone = len(jobs) == 1
        try:
            for job in jobs:
                units.append(Unit(conn, now))
                results.append(self._run(job, units[-1], alone=alone))
                if time.monotonic() > deadline:
                    break
            if conn.in_transaction:
                conn.execute("COMMIT")
        except BaseException:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            raise
        self._committed(units)
        return results

    def _run(self, job: Write[Any], unit: Unit, *, alone: bool) -> Any:
        """Runs one job; returns its result, or its exception after undoing it."""
        conn = unit.conn
        if not alone:
            conn.execute("SAVEPOINT job")
        try:
            result = job(unit)
            unit.close()
        except Exception as error:
            if not conn.in_transaction:
                # SQLite gave up the whole transaction, the other jobs with it.
                raise
            conn.execute("ROLLBACK" if alone else "ROLLBACK TO job")
            unit.ready = unit.ended = unit.streamed = False
            result = error
            if isinstance(error, sqlite3.Error):
                result = faults.translate(error, self.path)
                result.__cause__ = error
        if not alone:
            conn.execute("RELEASE job")
        return result

    def _look(self, slot: Slot, job: Read[T]) -> T:
        """Runs a reading job on the connection of a slot."""
        self._check_process()
        try:
            return self._look_once(slot, job)
        except Exception as error:
            if not damage.suspected(error) or self.write([damage.mend]) != [True]:
                raise
        return self._look_once(slot, job)

    def _look_once(self, slot: Slot, job: Read[T]) -> T:
        with slot.lock, faults.translated(self.path):
            conn = self._connection(slot)
            self._check_file()  # what is open would answer from the old one for ever

            def attempt() -> T:
                if conn.in_transaction:
                    conn.execute("ROLLBACK")
                conn.execute("BEGIN")
                try:
                    return job(conn, self.clock.time())
                finally:
                    conn.execute("ROLLBACK")

            return opening.patiently(attempt)

    def _connection(self, slot: Slot) -> sqlite3.Connection:
        """Returns the connection of a slot, which the caller has locked."""
        if not self._opened:
            msg = f"{self.path} is not open: call start() first"
            raise ServerError(msg)
        if slot.conn is None:
            self._check_file()
            conn = opening.connect(self._target)
            try:
                self._checkpointer.limit_size(conn)
            except BaseException:
                conn.close()
                raise
            slot.conn = conn
        return slot.conn

    def _checkpoint(self, conn: sqlite3.Connection) -> None:
        """Copies the log, unless a long read has the second connection that this takes."""
        if not self._reader.lock.acquire(blocking=False):
            return
        try:
            with faults.translated(self.path):
                self._checkpointer.run(conn, self._connection(self._reader))
        except ServerError as error:
            # The commit before it stands; the log only grows until the next try.
            logger.warning("%s", error)
        finally:
            self._reader.lock.release()

    def _check_process(self) -> None:
        """Starts anew if somebody forked behind Python's back."""
        if self._pid != os.getpid():
            for slot in self._slots:
                slot.abandon()
            self._finalizer.detach()
            self._reset()

    def _check_file(self) -> None:
        """Raises if the file is not the one that was opened; asking opens no descriptor."""
        found = self._identity()
        if found != self._inode:
            what = "was deleted" if found is None else "was replaced by another file"
            msg = f"{self.path} {what} while it was in use: stop all its processes and start again"
            raise ServerError(msg)

    def _identity(self) -> tuple[int, int] | None:
        """Returns what tells the file from another one at its place."""
        try:
            found = Path(self.path).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
