"""One thread that waits for any number of waiting coroutines."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from qtasks.adapters.sqlite import queues as jobs
from qtasks.adapters.sqlite import records, streams
from qtasks.adapters.sqlite.lookout import Deadline, Lookout
from qtasks.adapters.sqlite.wake import ANYTHING, ENDED, POKE, READY, STREAMED

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from qtasks.adapters.sqlite.database import Database
    from qtasks.schemas import Record, Streamed

__all__ = ["Watch"]

#: Seconds that the thread stays when nobody waits.
_LINGER: Final = 1.0

#: Under a storm of rings the thread rests so many times as long as it looks, in seconds at least
#: and at the most this long.
_REST: Final = 4
_SHORTEST_REST: Final = 0.002
_LONGEST_REST: Final = 0.02

#: Names of queues, and how many suspects in them do not count.
_Want: TypeAlias = tuple[tuple[str, ...], int]


class _Waiter(msgspec.Struct, eq=False):
    """One waiting coroutine: for work in ``queues``, the end of ``ids``, or values."""

    future: Future[Any]
    deadline: Deadline
    queues: tuple[str, ...] = ()
    ignored: int = 0
    ids: tuple[str, ...] = ()
    reader: streams.Reader | None = None

    @property
    def kind(self) -> int:
        """What has to happen for it."""
        if self.reader is not None:
            return STREAMED | ENDED
        return READY if self.queues else ENDED


class Watch:
    """Wakes waiting coroutines, with one query for all of them.

    The thread starts with the first of them and ends soon after the last.

    Args:
        database: what they wait for.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._new: list[_Waiter] = []
        self._waiting: list[_Waiter] = []
        self._lookout: Lookout | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False

    def ready(self, queues: Sequence[str], seconds: float, ignored: int) -> Future[bool | None]:
        """Returns a future of True, when a claim may find something, or of None, too late.

        Args:
            queues: where to look.
            seconds: how long.
            ignored: how many suspects do not count.
        """
        deadline = Deadline(self._database.clock, seconds)
        return self._add(_Waiter(Future(), deadline, queues=tuple(queues), ignored=ignored))

    def ended(self, ids: Sequence[str], seconds: float) -> Future[dict[str, Record | None] | None]:
        """Returns a future of those tasks that ended, when there is one, or of None, too late."""
        deadline = Deadline(self._database.clock, seconds)
        return self._add(_Waiter(Future(), deadline, ids=tuple(ids)))

    def streamed(self, reader: streams.Reader, seconds: float) -> Future[Streamed | None]:
        """Returns a future of what a reader has not seen, or of None, too late."""
        deadline = Deadline(self._database.clock, seconds)
        return self._add(_Waiter(Future(), deadline, reader=reader))

    def stop(self) -> None:
        """Ends the thread; who still waits is cancelled."""
        self._check_process()
        with self._lock:
            thread, self._stopping = self._thread, True
            if self._lookout is not None:
                self._lookout.bell.ring(POKE)
        if thread is not None:
            thread.join()
        with self._lock:
            # Under the lock, so that nobody who comes in this moment is forgotten.
            left = [*self._new, *self._waiting]
            self._new, self._waiting = [], []
            self._stopping = False
        for waiter in left:
            waiter.future.cancel()

    def _add(self, waiter: _Waiter) -> Future[Any]:
        self._check_process()
        with self._lock:
            self._new.append(waiter)
            if self._thread is None:
                self._lookout = Lookout(self._database)
                self._thread = threading.Thread(
                    target=self._run, args=(self._lookout,), name="qtasks-sqlite-watch", daemon=True
                )
                self._thread.start()
            elif self._lookout is not None:
                self._lookout.bell.ring(POKE)
        waiter.future.add_done_callback(self._left)
        return waiter.future

    def _left(self, future: Future[Any]) -> None:
        """Has the thread forget somebody who gave up."""
        lookout = self._lookout
        if lookout is not None and future.cancelled():
            lookout.bell.ring(POKE)

    def _check_process(self) -> None:
        """Starts anew after a fork, where the thread stayed behind."""
        if self._pid != os.getpid():
            if self._lookout is not None:
                self._lookout.close()
            self._reset()

    # In the thread

    def _run(self, lookout: Lookout) -> None:
        """Serves until nobody waits any more."""
        heard, due = ANYTHING, None
        try:
            while self._goes_on(lookout):
                started = time.monotonic()
                try:
                    due = self._round(lookout, heard, due)
                    heard = self._rest(lookout, _REST * (time.monotonic() - started))
                    self._forget()
                    if self._waiting and not heard:
                        heard = lookout.wait(self._deadline(), due)
                except Exception as error:  # noqa: BLE001 - it belongs to those who wait
                    self._fail(error)
        finally:
            lookout.close()

    def _goes_on(self, lookout: Lookout) -> bool:
        """Returns False if nobody waits any more, also after a while."""
        self._forget()
        if not self._waiting and not self._new and not self._stopping:
            lookout.bell.wait(_LINGER)
        with self._lock:
            goes_on = not self._stopping and bool(self._new or self._waiting)
            if not goes_on:
                self._thread = self._lookout = None
        return goes_on

    def _forget(self) -> None:
        """Forgets who waits no more."""
        for one in self._waiting:
            if one.deadline.left() <= 0:
                _resolve(one, None)
        self._waiting = [one for one in self._waiting if not one.future.done()]

    def _rest(self, lookout: Lookout, seconds: float) -> int:
        """Does not look again for a moment, unless somebody new asks; returns what was rung."""
        until = time.monotonic() + min(max(seconds, _SHORTEST_REST), _LONGEST_REST)
        heard = 0
        while not heard & POKE and (left := until - time.monotonic()) > 0:
            heard |= lookout.bell.wait(left)
        return heard

    def _deadline(self) -> Deadline:
        """Returns the first of the deadlines."""
        return min((one.deadline for one in self._waiting), key=Deadline.left)

    def _round(self, lookout: Lookout, heard: int, due: float | None) -> float | None:
        """Looks for those whom it may concern; returns when the next task becomes ready."""
        with self._lock:
            new, self._new = self._new, []
        before = self._waiting
        # At once, so that they are told if anything fails from here on.
        self._waiting = [*before, *new]
        concerned = [one for one in before if heard & one.kind]
        if len(concerned) == len(before):
            # All of them look now, so what was committed before is known to all.
            lookout.arm()
        upcoming = self._serve(concerned + new)
        known = [when for when in (upcoming, None if heard & READY else due) if when is not None]
        return min(known, default=None) if any(one.queues for one in self._waiting) else None

    def _serve(self, waiters: list[_Waiter]) -> float | None:
        """Wakes those of the waiters who have a reason; returns when a task becomes ready."""
        ids = list(dict.fromkeys(id_ for one in waiters for id_ in one.ids))
        if ids:
            found = self._database.watch(lambda conn, now: records.ended(conn, now, ids))
            for one in waiters:
                mine = {id_: found[id_] for id_ in one.ids if id_ in found}
                if mine:
                    _resolve(one, mine)
        readers = {one.reader for one in waiters if one.reader is not None}
        if readers:
            news = self._database.watch(lambda conn, now: streams.news(conn, now, readers))
            for one in waiters:
                if one.reader in news:
                    _resolve(one, news[one.reader])
        wanted = {(one.queues, one.ignored) for one in waiters if one.queues}
        if not wanted:
            return None
        ready, upcoming = self._database.watch(lambda conn, now: _find(conn, now, wanted))
        for one in waiters:
            if (one.queues, one.ignored) in ready:
                _resolve(one, result=True)
        return upcoming

    def _fail(self, error: Exception) -> None:
        """Tells all who wait that the database cannot be watched."""
        with self._lock:
            waiters, self._new = [*self._waiting, *self._new], []
        for one in waiters:
            if not one.future.done() and one.future.set_running_or_notify_cancel():
                one.future.set_exception(error)


def _find(
    conn: sqlite3.Connection, now: float, wanted: set[_Want]
) -> tuple[set[_Want], float | None]:
    """Returns where there is something to claim, and when more becomes ready."""
    ready = {want for want in wanted if jobs.claimable(conn, now, *want)}
    names = sorted({name for queues, _ in wanted for name in queues})
    return ready, jobs.next_due(conn, now, names)


def _resolve(waiter: _Waiter, result: Any) -> None:
    """Gives a waiter its result, unless it gave up or has one."""
    if not waiter.future.done() and waiter.future.set_running_or_notify_cancel():
        waiter.future.set_result(result)
