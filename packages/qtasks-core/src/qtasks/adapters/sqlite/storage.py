"""The storage on a SQLite file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtasks.adapters.sqlite import (
    buckets,
    dead,
    housekeeping,
    listing,
    publish,
    queues,
    records,
    renew,
    settle,
    split,
    streams,
)
from qtasks.adapters.sqlite.engine import Engine
from qtasks.contracts.storage import BaseStorage
from qtasks.schemas import Streamed

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping, Sequence
    from typing import Self

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
        Retention,
        Settlement,
        Swept,
    )
    from qtasks.typing import Clock

__all__ = ["SqliteStorage"]


class SqliteStorage(BaseStorage):
    """Keeps records, dead letters, state and counters in one SQLite file.

    It belongs to a :class:`SqliteBroker`, or stands alone beside a broker elsewhere.

    Args:
        url: as for :class:`SqliteBroker`.
        clock: tells the time; None for the machine's clock.

    Raises:
        ConfigError: the URL cannot be used.
    """

    def __init__(self, url: str, *, clock: Clock | None = None) -> None:
        self._engine = Engine(url, clock)
        super().__init__(url)

    @classmethod
    def over(cls, engine: Engine) -> Self:
        """Returns a storage that shares an engine with others."""
        storage = cls.__new__(cls)
        storage._engine = engine  # noqa: SLF001 - it is one of us
        storage.url = engine.url
        return storage

    @property
    def retention(self) -> Retention:
        """How long it keeps what it ends by itself; the broker of the same file shares it."""
        return self._engine.retention

    @retention.setter
    def retention(self, retention: Retention) -> None:
        self._engine.retention = retention

    # Life

    async def start(self) -> None:
        """Opens the file, see :meth:`SqliteBroker.start`."""
        await self._engine.start("storage")

    async def stop(self) -> None:
        """Closes the file, unless the broker was started too."""
        await self._engine.stop("storage")

    def client(self) -> Self:
        """Returns a blocking twin with connections of its own."""
        return self.over(self._engine.twin())

    # Records

    async def get(self, ids: Sequence[str]) -> builtins.list[Record | None]:
        """Returns one record for each id, in order."""
        found = await self._engine.read(partial(records.get, ids=ids))
        return [found.get(id_) for id_ in ids]

    async def list(self, query: RecordQuery) -> Page:
        """Returns one page of records, newest first: dead letters by their end.

        Raises:
            ConfigError: the cursor did not come from an earlier page.
        """
        return await self._engine.read(partial(listing.list_records, query=query))

    async def wait(self, ids: Sequence[str], timeout: float) -> dict[str, Record | None]:
        """Waits until at least one of the tasks ended."""
        return await self._engine.ended(ids, timeout)

    async def cancel(self, ids: Sequence[str], reason: str) -> dict[str, CancelAnswer]:
        """Cancels waiting tasks, and leaves a request with running ones."""
        return await self._engine.write(
            partial(records.cancel, ids=ids, reason=reason, retention=self.retention)
        )

    async def progress(self, entries: Sequence[Progressed]) -> None:
        """Keeps what running tasks say of their progress."""
        await self._engine.write(partial(records.note_progress, entries=entries))

    # What generator tasks give while they run

    async def append_stream(self, chunks: Sequence[Chunk]) -> None:
        """Keeps values of running tasks, in one transaction."""
        if chunks:
            await self._engine.write(partial(streams.append, chunks=chunks))

    async def read_stream(
        self, task_id: str, token: int, after: int, timeout: float, limit: int = 1000
    ) -> Streamed:
        """Waits for values that a reader has not seen, at most ``timeout`` seconds."""
        found = await self._engine.streamed(streams.Reader(task_id, token, after, limit), timeout)
        return found or Streamed(token, after)

    # Beside a broker elsewhere

    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> builtins.list[Receipt]:
        """Writes records of tasks whose queue is elsewhere."""
        return await self._engine.write(
            partial(
                publish.put,
                messages=messages,
                scheduled=scheduled,
                replaced_ttl=self.retention.result_ttl,
            )
        )

    async def begin(self, deliveries: Sequence[Delivery], worker: str, lease: float) -> Begun:
        """Takes leases on deliveries that came from elsewhere."""
        return await self._engine.write(
            partial(
                split.begin,
                deliveries=deliveries,
                worker=worker,
                lease=lease,
                retention=self.retention,
            )
        )

    async def finish(self, settlements: Sequence[Settlement]) -> builtins.list[str]:
        """Writes outcomes in one transaction."""
        return await self._engine.write(partial(settle.finish, settlements=settlements))

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        """Renews leases."""
        return await self._engine.write(partial(renew.extend, held=held, lease=lease))

    async def sweep(self, limit: int = 100) -> Swept:
        """Does one round of housekeeping.

        A task whose queue is elsewhere goes on the schedule when it is taken back, so that
        :meth:`due` gives it out to be published again.
        """
        return await self._engine.write(
            partial(housekeeping.sweep, limit=limit, retention=self.retention)
        )

    async def expire(self, worker: str) -> int:
        """Takes back what a worker holds."""
        return await self._engine.write(
            partial(housekeeping.expire, worker=worker, retention=self.retention)
        )

    async def stats(self, queue: str) -> QueueStats:
        """Returns the counts of a queue, without what waits at a broker elsewhere."""
        return await self._engine.read(partial(queues.stats, queue=queue))

    async def due(self, limit: int, lease: float) -> builtins.list[Message]:
        """Takes scheduled tasks that are due, for ``lease`` seconds."""
        return await self._engine.write(partial(split.due, limit=limit, lease=lease))

    async def dispatched(self, ids: Sequence[str]) -> None:
        """Notes that due tasks were published."""
        await self._engine.write(partial(split.dispatched, ids=ids))

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
        return await self._engine.write(
            partial(
                dead.requeue, ids=ids, reset_attempts=reset_attempts, spread=spread, delay=delay
            )
        )

    async def discard(self, ids: Sequence[str]) -> builtins.list[str]:
        """Removes dead letters with their records."""
        return await self._engine.write(partial(dead.discard, ids=ids))

    # State, configuration, counters

    async def state_get(self, bucket: str) -> dict[str, bytes]:
        """Returns all keys of a bucket in the order they were first set."""
        return await self._engine.read(partial(buckets.read_bucket, bucket=bucket))

    async def state_update(
        self, bucket: str, changes: Mapping[str, bytes | None], ttl: float | None = None
    ) -> dict[str, bytes]:
        """Sets keys in one transaction and returns the whole bucket."""
        return await self._engine.write(
            partial(buckets.update_bucket, bucket=bucket, changes=changes, ttl=ttl)
        )

    async def state_clear(self, bucket: str) -> None:
        """Removes a bucket."""
        await self._engine.write(partial(buckets.clear_bucket, bucket=bucket))

    async def counter_add(self, key: str, amount: int, ttl: float | None = None) -> int:
        """Adds to a counter and returns its new value."""
        return await self._engine.write(
            partial(buckets.add_to_counter, key=key, amount=amount, ttl=ttl)
        )

    async def flush(self) -> None:
        """Removes everything in the file."""
        await self._engine.flush()

    # A look at the file

    async def diagnose(self) -> builtins.list[Finding]:
        """Looks at the file, see :meth:`SqliteBroker.diagnose`."""
        return await self._engine.diagnose()
