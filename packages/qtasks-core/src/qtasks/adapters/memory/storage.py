"""The storage in memory."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, ClassVar, Self

import msgspec

from qtasks.adapters.memory import beside, leases, letters, records, settling
from qtasks.adapters.memory.server import MemoryServer, serve
from qtasks.adapters.memory.waiting import LoopWaiter, ThreadWaiter, wait_for
from qtasks.contracts.clock import SystemClock
from qtasks.contracts.storage import BaseStorage
from qtasks.schemas import Capabilities, Streamed

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping, Sequence

    from qtasks.schemas import (
        Begun,
        CancelAnswer,
        Chunk,
        Delivery,
        Extension,
        Finding,
        Held,
        Message,
        Page,
        Progressed,
        QueueStats,
        Receipt,
        Record,
        RecordQuery,
        Settlement,
        Swept,
    )
    from qtasks.typing import Clock

__all__ = ["MemoryStorage"]


class MemoryStorage(BaseStorage):
    """Keeps records, state and counters in this process; thread-safe, for any number of loops.

    ``memory://`` is private to the object and its twins; ``memory://name`` is shared by all
    brokers and storages of that name in the process.

    Args:
        url: ``memory://`` or ``memory://name``.
        clock: where the time comes from; the machine's clock by default.
        server: what to keep the records in, instead of what the URL says.
        blocking: whether this is a twin that blocks the calling thread.

    Raises:
        ConfigError: the URL is not of this kind.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(processes=False, durable=False)

    def __init__(
        self,
        url: str = "memory://",
        *,
        clock: Clock | None = None,
        server: MemoryServer | None = None,
        blocking: bool = False,
    ) -> None:
        super().__init__(url)
        self._clock = clock or SystemClock()
        self._server = server or serve(url)
        self._blocking = blocking

    async def start(self) -> None:
        """Does nothing: there is nothing to connect to."""

    async def stop(self) -> None:
        """Does nothing; what is stored stays."""

    def client(self) -> Self:
        """Returns a twin that blocks the calling thread."""
        twin = type(self)(self.url, clock=self._clock, server=self._server, blocking=True)
        twin.retention = self.retention
        return twin

    # Records

    async def get(self, ids: Sequence[str]) -> builtins.list[Record | None]:
        """Returns one record for each id, in order; None where there is none."""
        with self._server.lock:
            return [self._record(id_) for id_ in ids]

    def _record(self, id_: str) -> Record | None:
        row = self._server.store.rows.get(id_)
        return None if row is None else row.record()

    async def list(self, query: RecordQuery) -> Page:
        """Returns one page of records, newest first.

        Raises:
            ServerError: the cursor is not one of a page before.
        """
        with self._server.lock:
            return records.page(self._server.store, query)

    async def wait(self, ids: Sequence[str], timeout: float) -> dict[str, Record | None]:
        """Waits until at least one of the tasks ended, at most ``timeout`` seconds."""
        if not ids:
            return {}
        server = self._server

        def look() -> tuple[dict[str, Record | None] | None, float]:
            ended = {}
            for id_ in ids:
                row = server.store.rows.get(id_)
                if row is None or row.finished_at is not None:
                    ended[id_] = self._record(id_)
            return ended or None, inf

        waiter = ThreadWaiter() if self._blocking else LoopWaiter(self._clock)
        topics = dict.fromkeys(ids)
        ended = await wait_for(
            look,
            topics=topics,
            bells=server.end_bells,
            lock=server.lock,
            waiter=waiter,
            seconds=timeout,
        )
        return ended or {}

    async def cancel(self, ids: Sequence[str], reason: str) -> dict[str, CancelAnswer]:
        """Cancels waiting tasks at once and asks for the end of running ones."""
        with self._server.lock:
            return self._server.store.cancel(ids, reason, self._clock.time(), self.retention)

    async def progress(self, entries: Sequence[Progressed]) -> None:
        """Keeps what running tasks say of their progress."""
        with self._server.lock:
            self._server.store.note_progress(entries)

    # What generator tasks give while they run

    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        """Keeps values of running tasks."""
        server = self._server
        with server.lock:
            now = self._clock.time()
            for chunk in chunks:
                if server.store.runs(chunk.id, chunk.token):
                    server.streams.append(chunk, now)
                    server.stream_bells.ring(chunk.id)

    async def read_stream(
        self, task_id: str, token: int, after: int, timeout: float, limit: int = 1000
    ) -> Streamed:
        """Waits for values of a task, at most ``timeout`` seconds."""
        server = self._server

        def look() -> tuple[Streamed | None, float]:
            row = server.store.rows.get(task_id)
            ended = row is None or row.finished_at is not None
            found = server.streams.read(task_id, token, after, limit, self._clock.time())
            found = msgspec.structs.replace(found, ended=ended)
            return (found if found.values or ended else None), inf

        found = await wait_for(
            look,
            topics=[task_id],
            bells=server.stream_bells,
            lock=server.lock,
            waiter=ThreadWaiter() if self._blocking else LoopWaiter(self._clock),
            seconds=timeout,
        )
        return found or Streamed()

    # Beside a broker elsewhere

    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> builtins.list[Receipt]:
        """Writes records with status ``new``; known ids change nothing."""
        with self._server.lock:
            return beside.put(
                self._server.store,
                messages,
                self._clock.time(),
                scheduled=scheduled,
                replaced_ttl=self.retention.result_ttl,
            )

    async def begin(self, deliveries: Sequence[Delivery], worker: str, lease: float) -> Begun:
        """Takes leases of ``lease`` seconds on deliveries of a broker elsewhere."""
        with self._server.lock:
            return beside.begin(
                self._server.store,
                deliveries,
                worker,
                lease,
                now=self._clock.time(),
                retention=self.retention,
            )

    async def finish(self, settlements: Sequence[Settlement]) -> builtins.list[str]:
        """Writes outcomes; returns the ids it refused."""
        with self._server.lock:
            return settling.settle(self._server.store, settlements, self._clock.time())

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        """Renews leases for ``lease`` seconds from now."""
        with self._server.lock:
            return leases.extend(self._server.store, held, lease, self._clock.time())

    async def sweep(self, limit: int = 100) -> Swept:
        """Does one round of housekeeping, each kind at most ``limit`` times."""
        with self._server.lock:
            return self._server.sweep(limit, self._clock.time(), self.retention)

    async def expire(self, worker: str) -> int:
        """Takes back at once all that ``worker`` began; returns how many."""
        with self._server.lock:
            now = self._clock.time()
            return leases.expire(self._server.store, worker, now, self.retention)

    async def stats(self, queue: str) -> QueueStats:
        """Counts by state what is scheduled, leased and kept of a queue."""
        with self._server.lock:
            return records.stats(self._server.store, queue, self._clock.time())

    async def due(self, limit: int, lease: float) -> builtins.list[Message]:
        """Takes scheduled tasks that are due; without a report they are so again."""
        with self._server.lock:
            return beside.due(self._server.store, limit, lease, self._clock.time())

    async def dispatched(self, ids: Sequence[str]) -> None:
        """Notes that due tasks were published."""
        with self._server.lock:
            beside.dispatched(self._server.store, ids)

    # Dead letters

    async def requeue(
        self,
        ids: Sequence[str],
        *,
        reset_attempts: bool = True,
        spread: float = 0.0,
        delay: float = 0.0,
    ) -> builtins.list[str]:
        """Sends dead letters back to their queue, over ``spread`` seconds from ``delay`` on."""
        with self._server.lock:
            return letters.requeue(
                self._server.store,
                ids,
                self._clock.time(),
                reset_attempts=reset_attempts,
                spread=spread,
                delay=delay,
            )

    async def discard(self, ids: Sequence[str]) -> builtins.list[str]:
        """Removes dead letters with their records."""
        with self._server.lock:
            return letters.discard(self._server.store, ids)

    # State, configuration, counters

    async def state_get(self, bucket: str) -> dict[str, bytes]:
        """Returns all keys of a bucket in the order they were first set."""
        with self._server.lock:
            return self._server.buckets.get(bucket, self._clock.time())

    async def state_update(
        self, bucket: str, changes: Mapping[str, bytes | None], ttl: float | None = None
    ) -> dict[str, bytes]:
        """Sets keys (None deletes) and returns the whole bucket."""
        with self._server.lock:
            return self._server.buckets.update(bucket, changes, ttl, self._clock.time())

    async def state_clear(self, bucket: str) -> None:
        """Removes a bucket."""
        with self._server.lock:
            self._server.buckets.clear(bucket)

    async def counter_add(self, key: str, amount: int, ttl: float | None = None) -> int:
        """Adds to a counter and returns its new value."""
        with self._server.lock:
            return self._server.counters.add(key, amount, ttl, self._clock.time())

    async def flush(self) -> None:
        """Removes everything on this server, what its broker keeps included."""
        with self._server.lock:
            self._server.flush()

    async def diagnose(self) -> builtins.list[Finding]:
        """Says that nothing of this lasts."""
        return self._server.diagnose()
