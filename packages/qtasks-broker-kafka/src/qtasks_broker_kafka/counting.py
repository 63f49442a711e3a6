"""How the partitions of a queue stand: what waits, what runs, and how old the oldest is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from qtasks_broker_kafka.commits import committed_with_maps
from qtasks_broker_kafka.faults import DRIVER_ERRORS
from qtasks_broker_kafka.names import topic_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qtasks_broker_kafka.consuming import Consuming
    from qtasks_broker_kafka.lanes import Lanes
    from qtasks_broker_kafka.options import Options
    from qtasks_broker_kafka.topics import Topics

__all__ = ["Counting", "PartitionStats"]

#: Seconds that a look at the oldest records may take.
_LOOK: Final = 2.0
_MS: Final = 1000


class PartitionStats(msgspec.Struct, frozen=True):
    """How a partition stands now.

    Attributes:
        partition: its number.
        end: the offset that the next task gets.
        committed: the offset before which everything is done, or None.
        lag: tasks from there to the end, those that run or are done out of turn included.
        ready: tasks that nobody of this process has begun with, and that are not known to be done.
        leased: tasks that this process runs.
        oldest_age: seconds since the first task that is not done was added, or None.
        ours: whether it is assigned to this process.
    """

    partition: int
    end: int
    committed: int | None = None
    lag: int = 0
    ready: int = 0
    leased: int = 0
    oldest_age: float | None = None
    ours: bool = False


class Counting:
    """Counts from outside, without joining the group.

    Args:
        options: what the URL says.
        topics: tells which topics there are.
        lanes: what waits here.
        consuming: what is followed here.
    """

    def __init__(
        self, options: Options, topics: Topics, lanes: Lanes, consuming: Consuming
    ) -> None:
        self._options = options
        self._topics = topics
        self._lanes = lanes
        self._consuming = consuming
        self._consumer: AIOKafkaConsumer | None = None
        self._connecting = asyncio.Lock()

    async def close(self) -> None:
        """Disconnects."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with contextlib.suppress(*DRIVER_ERRORS):
                await consumer.stop()

    async def partitions(self, queue: str, *, ages: bool = True) -> list[PartitionStats]:
        """Returns how each partition of a queue stands; none if the queue has no topic."""
        topic = topic_of(self._options.prefix, queue)
        if await self._topics.missing([topic]):
            return []
        consumer = await self._connected()
        numbers = await self._numbers(consumer, topic)
        places = [TopicPartition(topic, number) for number in numbers]
        ends = await consumer.end_offsets(places)
        begins = await consumer.beginning_offsets(places)
        commits = await committed_with_maps(consumer, places)
        found = [self._count(place, begins[place], ends[place], commits[place]) for place in places]
        if not ages:
            return found
        firsts = {
            TopicPartition(topic, one.partition): one.end - one.lag for one in found if one.lag
        }
        times = await self._times(firsts)
        now = time.time()
        return [
            msgspec.structs.replace(one, oldest_age=max(0.0, now - written))
            if (written := times.get(one.partition)) is not None
            else one
            for one in found
        ]

    def _count(self, place: TopicPartition, begin: int, end: int, commit: Any) -> PartitionStats:
        committed, known = commit
        first = max(begin, committed or 0)
        tracker = self._consuming.trackers.get(place)
        with self._lanes.lock:
            base = tracker.base if tracker is not None else None
            if tracker is None or base is None or tracker.next is None:
                done = (known.end - first - len(known.open)) if known and known.end > first else 0
                lag = max(0, end - first)
                return PartitionStats(
                    place.partition,
                    end,
                    committed,
                    lag,
                    max(0, lag - done),
                    ours=tracker is not None,
                )
            unfinished, fetched = tracker.unfinished, tracker.next
        end = max(end, self._consuming.end_of(place) or 0)  # of a batch, some count one record
        waits = self._lanes.waiting_of(place)
        return PartitionStats(
            place.partition,
            end,
            committed,
            max(0, end - max(first, base)),
            max(0, end - max(fetched, begin)) + waits,
            max(0, unfinished - waits),
            ours=True,
        )

    async def _connected(self) -> AIOKafkaConsumer:
        async with self._connecting:
            if self._consumer is None:
                consumer = AIOKafkaConsumer(
                    **self._options.connection(),
                    group_id=self._options.group,
                    enable_auto_commit=False,
                )
                try:
                    await consumer.start()
                except BaseException:
                    await consumer.stop()
                    raise
                self._consumer = consumer
            return self._consumer

    async def _numbers(self, consumer: AIOKafkaConsumer, topic: str) -> Iterable[int]:
        found = consumer.partitions_for_topic(topic)
        if not found:
            await consumer._client._wait_on_metadata(topic)  # noqa: SLF001 - no public way to ask
            found = consumer.partitions_for_topic(topic)
        return sorted(found or ())

    async def _times(self, firsts: dict[TopicPartition, int]) -> dict[int, float]:
        """Returns when the records at these offsets were written, by partition."""
        if not firsts:
            return {}
        times: dict[int, float] = {}
        reader = AIOKafkaConsumer(
            **self._options.connection(), enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await reader.start()
            reader.assign([*firsts])
            for place, offset in firsts.items():
                reader.seek(place, offset)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    while len(times) < len(firsts):
                        found: dict[TopicPartition, Sequence[Any]] = await reader.getmany(
                            timeout_ms=100
                        )
                        for place, records in found.items():
                            times.setdefault(place.partition, records[0].timestamp / _MS)
        finally:
            await reader.stop()
        return times
