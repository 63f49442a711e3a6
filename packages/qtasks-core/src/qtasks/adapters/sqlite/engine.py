"""What a broker and its storage share: the database, who runs jobs on it, and who waits.

The asynchronous form runs writing jobs in one thread, all that wait in one transaction, and reading
jobs in another. The blocking form runs them in the calling thread. Jobs and classes are the same.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qtasks.adapters.sqlite import queues as jobs
from qtasks.adapters.sqlite import records, streams
from qtasks.adapters.sqlite.database import Database, Read, Write
from qtasks.adapters.sqlite.diagnose import diagnose
from qtasks.adapters.sqlite.lane import Lane, run_apart
from qtasks.adapters.sqlite.lookout import Deadline, Lookout
from qtasks.adapters.sqlite.url import parse_url
from qtasks.adapters.sqlite.wake import ENDED, READY, STREAMED, Ringer
from qtasks.adapters.sqlite.watch import Watch
from qtasks.contracts.clock import SystemClock
from qtasks.schemas import Finding, Record, Retention

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future

    from qtasks.adapters.sqlite.unit import Unit
    from qtasks.schemas import Streamed
    from qtasks.typing import Clock

__all__ = ["Engine"]

T = TypeVar("T")


class Engine:
    """Runs jobs for a broker and its storage.

    Args:
        url: where the database is.
        clock: tells the time; None for the machine's clock.
        blocking: whether its coroutines run in the calling thread and never suspend.

    Attributes:
        url: as given.
        retention: how long the database keeps what it ends by itself.
    """

    def __init__(self, url: str, clock: Clock | None = None, *, blocking: bool = False) -> None:
        self.url: Final = url
        self.retention = Retention()
        self._clock: Final = clock or SystemClock()
        self._blocking: Final = blocking
        self._target: Final = parse_url(url)
        self._database = Database(self._target, self._clock, self._committed)
        self._ringer = Ringer(self._target.path)
        self._users: set[str] = set()
        self._writes: Lane[Write[Any]] = Lane("qtasks-sqlite-write", self._database.write)
        self._reads: Lane[Callable[[], Any]] = Lane("qtasks-sqlite-read", _run_all)
        self._watch = Watch(self._database)
        self._idle: list[Lookout] = []

    def twin(self) -> Engine:
        """Returns a blocking engine with connections of its own."""
        twin = Engine(self.url, self._clock, blocking=True)
        twin.retention = self.retention
        return twin

    # Life

    async def start(self, user: str) -> None:
        """Opens the database for a user; calling it again is harmless."""
        await self._in_reader(self._database.open)
        self._users.add(user)

    async def stop(self, user: str) -> None:
        """Closes the database when its last user stops; calling it again is harmless."""
        self._users.discard(user)
        if self._users:
            return
        if self._blocking:
            self._close()
        else:
            await run_apart("qtasks-sqlite-close", self._close)

    def _close(self) -> None:
        self._watch.stop()
        self._writes.stop()
        self._reads.stop()
        while self._idle:
            self._idle.pop().close()
        self._ringer.close()
        self._database.close()

    # Jobs

    async def write(self, job: Write[T], unread: Callable[[T], Write[Any]] | None = None) -> T:
        """Runs a job in a transaction, together with others that wait.

        Args:
            job: what to run.
            unread: makes a second job of the result, for the case that the caller was cancelled
                while the first one ran, and nobody got the result.
        """
        if self._blocking:
            (result,) = self._database.write([job])
            if isinstance(result, BaseException):
                raise result
            done: T = result
            return done
        future: Future[T] = self._writes.submit(job)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if unread is not None:
                future.add_done_callback(partial(self._undo, unread))
            raise

    def _undo(self, unread: Callable[[T], Write[Any]], future: Future[T]) -> None:
        """Sees to a result that nobody got; when all ends, that is left to the sweep."""
        if not future.cancelled() and future.exception() is None and self._users:
            self._writes.submit(unread(future.result()))

    async def read(self, job: Read[T]) -> T:
        """Runs a job on one unchanging state of the database."""
        return await self._in_reader(lambda: self._database.read(job))

    async def diagnose(self) -> list[Finding]:
        """Looks at the file and at its disk."""
        return await self.read(lambda conn, _now: diagnose(conn, self._target))

    async def flush(self) -> None:
        """Removes everything."""
        await self.write(self._database.flush)

    # Waiting

    async def ready(self, queues: Sequence[str], seconds: float, ignored: int) -> bool:
        """Waits until a claim may find something; returns False when the time ran out.

        Args:
            queues: where to look.
            seconds: how long.
            ignored: how many suspects do not count.
        """

        def look(database: Database) -> bool | None:
            found = database.watch(lambda conn, now: jobs.claimable(conn, now, queues, ignored))
            return found or None

        def due(database: Database) -> float | None:
            return database.watch(lambda conn, now: jobs.next_due(conn, now, queues))

        if self._blocking:
            found = self._attend(look, READY, seconds, due)
        elif seconds <= 0:
            found = await self._in_reader(lambda: look(self._database))
        else:
            found = await asyncio.wrap_future(self._watch.ready(queues, seconds, ignored))
        return found is True

    async def ended(self, ids: Sequence[str], seconds: float) -> dict[str, Record | None]:
        """Waits until one of the tasks ended; returns an empty dict when the time ran out."""

        def look(database: Database) -> dict[str, Record | None] | None:
            found = database.watch(lambda conn, now: records.ended(conn, now, ids))
            return found or None

        if not ids:
            return {}
        if self._blocking:
            return self._attend(look, ENDED, seconds) or {}
        if seconds <= 0:
            return await self._in_reader(lambda: look(self._database)) or {}
        return await asyncio.wrap_future(self._watch.ended(ids, seconds)) or {}

    async def streamed(self, reader: streams.Reader, seconds: float) -> Streamed | None:
        """Waits for values of a task, or for its end; returns None when the time ran out."""

        def look(database: Database) -> Streamed | None:
            return database.watch(lambda conn, now: streams.news(conn, now, [reader])).get(reader)

        if self._blocking:
            return self._attend(look, STREAMED | ENDED, seconds)
        # There usually is something, so that nobody needs to wait.
        found = await self._in_reader(lambda: look(self._database))
        if found is not None or seconds <= 0:
            return found
        return await asyncio.wrap_future(self._watch.streamed(reader, seconds))

    # Inside

    async def _in_reader(self, action: Callable[[], T]) -> T:
        if self._blocking:
            return action()
        result: T = await asyncio.wrap_future(self._reads.submit(action))
        return result

    def _attend(
        self,
        look: Callable[[Database], T | None],
        kind: int,
        seconds: float,
        due: Callable[[Database], float | None] | None = None,
    ) -> T | None:
        """Looks again whenever something happened, in the calling thread."""
        deadline = Deadline(self._clock, seconds)
        found = look(self._database)
        if found is not None or seconds <= 0:
            return found
        lookout = self._take_lookout()
        try:
            while True:
                lookout.arm()
                found = look(self._database)
                if found is not None or deadline.left() <= 0:
                    return found
                lookout.wait_for(kind, deadline, None if due is None else due(self._database))
        finally:
            self._idle.append(lookout)

    def _take_lookout(self) -> Lookout:
        """Returns a place to wait at, used before if possible."""
        while self._idle:
            lookout = self._idle.pop()
            if not lookout.bell.stale:
                return lookout
            lookout.close()
        return Lookout(self._database)

    def _committed(self, units: Iterable[Unit]) -> None:
        """Wakes those whom the jobs of a transaction may concern."""
        what = 0
        for unit in units:
            what |= (READY if unit.ready else 0) | (ENDED if unit.ended else 0)
            what |= STREAMED if unit.streamed else 0
        if what:
            self._ringer.ring(what)


def _run_all(actions: Sequence[Callable[[], Any]]) -> list[Any]:
    """Runs actions one after the other; returns their results and exceptions."""
    results: list[Any] = []
    for action in actions:
        try:
            results.append(action())
        except Exception as error:  # noqa: BLE001 - it belongs to the caller of the action
            results.append(error)
    return results
