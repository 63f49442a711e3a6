"""The broker on Kafka."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar

from qtasks.brokers import BaseBroker
from qtasks.exc import ServerError, UnsupportedError
from qtasks.schemas import (
    Capabilities,
    Delivery,
    Extension,
    QueueStats,
    Receipt,
    Release,
    Retry,
    Swept,
)
from qtasks_broker_kafka.batches import Written
from qtasks_broker_kafka.codec import encode, key_of
from qtasks_broker_kafka.diagnose import diagnose
from qtasks_broker_kafka.faults import refusing, translated
from qtasks_broker_kafka.hub import Hub, call
from qtasks_broker_kafka.lanes import Record
from qtasks_broker_kafka.names import topic_of
from qtasks_broker_kafka.options import parse_url

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from qtasks.schemas import Claim, Finding, Held, Message, Presence, Settlement
    from qtasks_broker_kafka.counting import PartitionStats
    from qtasks_broker_kafka.engine import Engine

__all__ = ["KafkaBroker"]

T = TypeVar("T")

#: Seconds until a task that another worker holds is offered again.
_BUSY: Final = 1.0


class KafkaBroker(BaseBroker):
    """Moves tasks through topics; a storage beside it keeps records, tokens and the schedule.

    ``kafka://host:9092/prefix?option=value``; the options are those of
    :class:`~qtasks_broker_kafka.options.Options`. ``kafkas://`` is the same with TLS.

    A claim returns what was fetched by then: the first one joins the group, which takes seconds.
    What is settled is committed soon after, as far as everything before it is done.

    Args:
        url: where the servers are, and how to use them.
        hub: what twins share.
        blocking: whether this is a twin that blocks the calling thread.

    Raises:
        ConfigError: a part of the URL cannot be used.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        delay=False, priority=False, purge=False, unique=False
    )

    def __init__(self, url: str, *, hub: Hub | None = None, blocking: bool = False) -> None:
        super().__init__(url)
        self.options = parse_url(url)
        self._hub = hub or Hub(self.options)
        self._blocking = blocking
        self._engine: Engine | None = None
        self._pid = 0
        self._queues: frozenset[str] = frozenset()

    async def start(self) -> None:
        """Connects; calling it again is harmless."""
        try:
            await self._call(_opened)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Commits what is done and disconnects; calling it again is harmless."""
        engine, self._engine = self._engine, None
        self._queues = frozenset()
        if engine is None or self._pid != os.getpid():
            return
        end = self._hub.leave()
        if self._blocking:
            end()
        else:
            await asyncio.to_thread(end)

    def client(self) -> Self:
        """Returns a twin that blocks the calling thread; it is the same member of the group."""
        twin = type(self)(self.url, hub=self._hub, blocking=True)
        twin.retention = self.retention
        return twin

    def _here(self) -> Engine:
        """Returns the engine of this process."""
        if self._engine is None or self._pid != os.getpid():
            self._engine, self._pid = self._hub.enter(), os.getpid()
            self._queues = frozenset()
        return self._engine

    async def _call(self, make: Callable[[Engine], Coroutine[Any, Any, T]]) -> T:
        with translated(self.options):
            return await call(self._here(), make, blocking=self._blocking)

    # Tasks

    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        """Writes messages to their topics; returns when the servers have them.

        Raises:
            ServerError: not all of them were acknowledged, and those that are not among its
                ``refused`` may be written.
        """
        prefix = self.options.prefix
        records = [
            Written(topic_of(prefix, message.queue), key_of(message), encode(message), message.id)
            for message in messages
        ]
        if records:
            await self.write(records)
        return [Receipt(message.id, created=True) for message in messages]

    async def write(self, records: Sequence[Written]) -> None:
        """Writes records that are no tasks; their topics are made as those of queues are."""
        tried = False

        def make(engine: Engine) -> Coroutine[Any, Any, None]:
            nonlocal tried
            tried = True
            return engine.write(records)

        try:
            await self._call(make)
        except ServerError as error:
            if tried:
                raise
            raise refusing(error, records) from error.__cause__  # it could not even connect

    async def claim(self, request: Claim) -> list[Delivery]:
        """Hands out what was fetched and waits, possibly nothing."""
        self._want(request.queues)
        records = self._here().lanes.take(request.queues, request.limit)
        now = time.time()
        return [
            Delivery(
                message=record.message,
                token=record.handed,
                deliveries=record.handed,
                enqueued_at=min(record.timestamp, now),
                due_at=min(record.timestamp, now),
                claimed_at=now,
                malformed=record.malformed,
                receipt=record,
            )
            for record in records
        ]

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        """Notes what is done; ``Release`` and ``Retry`` leave a task where it is."""
        lanes = self._here().lanes
        done: list[Record] = []
        for settlement in settlements:
            record = settlement.receipt
            if not isinstance(record, Record):
                continue
            if isinstance(settlement.outcome, Release):
                lanes.give_back(record, _BUSY)
            elif isinstance(settlement.outcome, Retry):
                lanes.give_back(record, settlement.outcome.delay)
            else:
                done.append(record)
        if done:
            lanes.done(done)
        return []

    async def ready(self, queues: Sequence[str], timeout: float) -> bool:
        """Waits until something was fetched, at most ``timeout`` seconds."""
        self._want(queues)
        lanes = self._here().lanes
        until = time.monotonic() + timeout

        def left() -> float:
            soon = lanes.next_in()
            rest = until - time.monotonic()
            return rest if soon is None else min(rest, max(soon, 0.001))

        def look() -> bool:
            return lanes.waiting(queues)

        if self._blocking:
            return lanes.bell.wait_in_thread(look, left)
        return await lanes.bell.wait(look, left)

    def _want(self, queues: Sequence[str]) -> None:
        engine = self._here()
        if self._queues.issuperset(queues):
            return
        for queue in queues:
            topic_of(self.options.prefix, queue)  # what cannot be a topic is told here
        self._queues |= frozenset(queues)
        engine.loop.call_soon_threadsafe(engine.want, self._queues)

    # Leases are the storage's; the group notices when a process is dead

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        """Does nothing: the group's own signs of life keep what is here."""
        del held, lease
        return Extension()

    async def sweep(self, limit: int = 100) -> Swept:
        """Removes what dead workers left in the list of workers."""
        del limit
        await self._call(lambda engine: engine.control.tidy())
        return Swept()

    async def expire(self, worker: str) -> int:
        """Does nothing: what a dead process had fetched goes to others by itself."""
        del worker
        return 0

    # Queues and workers

    async def stats(self, queue: str) -> QueueStats:
        """Counts what waits in the log, and what this process runs.

        A worker that sees nothing looks at its partitions before it believes that.
        """
        if queue in self._queues:
            found = await self._call(lambda engine: _settled_partitions(engine, queue))
        else:
            found = await self.partitions(queue)
        ages = [one.oldest_age for one in found if one.oldest_age is not None and one.ready]
        return QueueStats(
            queue,
            ready=sum(one.ready for one in found),
            leased=sum(one.leased for one in found),
            paused=await self._call(lambda engine: engine.control.paused(queue)),
            oldest_ready_age=max(ages, default=None),
        )

    async def partitions(self, queue: str) -> list[PartitionStats]:
        """Returns how each partition of a queue stands: lag, age of its oldest task, and more."""
        return await self._call(lambda engine: engine.counting.partitions(queue))

    async def queues(self) -> list[str]:
        """Lists the queues that have topics, sorted."""
        return await self._call(lambda engine: engine.topics.queues())

    async def pause(self, queue: str) -> None:
        """Stops claims from a queue, in every process within a second."""
        await self._call(lambda engine: engine.control.pause(queue))

    async def resume(self, queue: str) -> None:
        """Allows claims from a paused queue again."""
        await self._call(lambda engine: engine.control.resume(queue))

    async def purge(self, queue: str) -> int:
        """Cannot be done here: a log keeps what it has; the storage cancels the tasks instead.

        Raises:
            UnsupportedError: always.
        """
        msg = (
            f"queue {queue!r}: Kafka cannot remove single tasks from a log; purge it through the"
            " app, whose storage cancels them"
        )
        raise UnsupportedError(msg)

    async def flush(self) -> None:
        """Removes all topics that begin with the prefix; workers elsewhere must not run."""
        await self._call(lambda engine: engine.flush())

    async def report(self, presence: Presence, ttl: float) -> None:
        """Notes that a worker is alive for the next ``ttl`` seconds; 0 removes it."""
        await self._call(lambda engine: engine.control.report(presence, ttl))

    async def workers(self) -> list[Presence]:
        """Lists the workers that reported themselves and whose time has not run out."""
        return await self._call(lambda engine: engine.control.workers())

    async def diagnose(self) -> list[Finding]:
        """Looks at servers, topics and lag."""
        return await self._call(diagnose)


async def _opened(engine: Engine) -> None:
    """Does nothing with a connected engine."""
    del engine


async def _settled_partitions(engine: Engine, queue: str) -> list[PartitionStats]:
    """Returns how the partitions stand; none looks empty that was not read here before."""
    topic = topic_of(engine.options.prefix, queue)
    settled = engine.consuming.is_settled(topic)
    found = await engine.counting.partitions(queue)
    if not found or settled or any(one.ready or one.leased for one in found):
        return found
    await engine.consuming.settle(topic)
    return await engine.counting.partitions(queue)
