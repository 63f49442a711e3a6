"""Reading the log as a member of the group: fetch, follow, commit, and deal with rebalances."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.structs import OffsetAndMetadata

from qtasks_broker_kafka.commits import committed_with_maps
from qtasks_broker_kafka.faults import DRIVER_ERRORS
from qtasks_broker_kafka.intake import taken_in
from qtasks_broker_kafka.names import queue_of, topic_of
from qtasks_broker_kafka.remade import ShorterLogs
from qtasks_broker_kafka.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aiokafka import ConsumerRecord

    from qtasks_broker_kafka.lanes import Lanes, Place
    from qtasks_broker_kafka.options import Options
    from qtasks_broker_kafka.outage import Outage
    from qtasks_broker_kafka.topics import Topics

__all__ = ["Consuming"]

log = logging.getLogger(__name__)

_MS: Final = 1000
#: Records of one poll, and milliseconds that it waits at the most.
_POLL: Final = 2000
_POLL_MS: Final = 200
#: Seconds between two looks for topics that are not there yet, and between two polls when no
#: partition may be fetched from.
_LOOK: Final = 1.0
_FULL: Final = 0.05
_ALIVE: Final = 5.0
#: Seconds that a commit may take; what was not committed goes with the next.
_COMMIT: Final = 2.0
#: Seconds until the next attempt after the server went away.
_BACK_OFF: Final = 0.5


class Consuming:
    """Fetches the tasks of the wanted queues into the lanes, and commits what is done.

    It polls whatever happens, so that the group never takes a busy worker for a dead one.

    Args:
        lanes: where the tasks go.
        topics: tells which topics there are.
        options: what the URL says.
        outage: hears of failures.
    """

    def __init__(self, lanes: Lanes, topics: Topics, options: Options, outage: Outage) -> None:
        self._lanes = lanes
        self._topics = topics
        self._options = options
        self._outage = outage
        self._wanted: set[str] = set()
        self._changed = asyncio.Event()
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._compare_at = 0.0
        self._shorter = ShorterLogs()
        self._dealt = False
        self.trackers: dict[Place, Tracker] = {}
        loop = asyncio.get_running_loop()
        lanes.hungry = lambda: _tell(loop, self._room.set)

    def want(self, queues: Iterable[str]) -> None:
        """Takes from these queues from now on."""
        self._wanted |= {*queues}
        self.look()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._live())

    def look(self) -> None:
        """Looks at once whether there are topics that were missing."""
        self._changed.set()

    async def close(self) -> None:
        """Commits and leaves the group."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _live(self) -> None:
        while True:
            try:
                await self._member()
            except DRIVER_ERRORS as error:
                self._outage.failed(error)
            except Exception:
                log.exception("Reading from Kafka failed; it begins anew")
            await asyncio.sleep(_BACK_OFF)

    async def _member(self) -> None:
        """Is a member of the group until it fails or is cancelled."""
        topics = await self._subscribed(frozenset())
        consumer = self._consumer = AIOKafkaConsumer(
            # A request to join is answered when all have joined.
            **self._options.connection(at_least=self._options.rebalance_timeout + 5),
            group_id=self._options.group,
            group_instance_id=self._options.instance,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(StickyPartitionAssignor,),
            session_timeout_ms=int(self._options.session_timeout * _MS),
            heartbeat_interval_ms=int(self._options.session_timeout * _MS / 3),
            rebalance_timeout_ms=int(self._options.rebalance_timeout * _MS),
            max_partition_fetch_bytes=2 * self._options.max_message,
            metadata_max_age_ms=30_000,
        )
        committing: asyncio.Task[None] | None = None
        try:
            consumer.subscribe(topics=sorted(topics), listener=_Listener(self))
            await consumer.start()
            committing = asyncio.get_running_loop().create_task(self._commit_for_ever())
            while True:
                if self._changed.is_set():
                    topics = await self._subscribed(topics)
                    if topics != consumer.subscription():
                        consumer.subscribe(topics=sorted(topics), listener=_Listener(self))
                for place, records in (await self._poll(consumer)).items():
                    self._take(place, records)
                await self._compare(consumer)
        finally:
            if committing is not None:
                committing.cancel()
            with contextlib.suppress(*DRIVER_ERRORS):
                await self.commit()
            self._consumer = None
            self._dealt = False
            self.assigned({})
            with contextlib.suppress(*DRIVER_ERRORS):
                async with asyncio.timeout(self._options.timeout):
                    await consumer.stop()

    async def _subscribed(self, before: frozenset[str]) -> frozenset[str]:
        """Returns the topics of the wanted queues; waits until there is one."""
        while True:
            self._changed.clear()
            wanted = {topic_of(self._options.prefix, queue) for queue in self._wanted}
            missing = await self._topics.missing(wanted)
            if missing:  # somebody may make them
                asyncio.get_running_loop().call_later(_LOOK, self._changed.set)
            if there := (wanted - missing) | (before & wanted):
                return frozenset(there)
            await self._changed.wait()

    async def _poll(self, consumer: AIOKafkaConsumer) -> Mapping[TopicPartition, Sequence[Any]]:
        """Fetches from the partitions of which not enough waits here."""
        places = consumer.assignment()
        hungry = [place for place in places if self._has_room(place)]
        if hungry or not places:
            only = [] if len(hungry) == len(places) else hungry
            return await _fetch(consumer, *only)
        self._room.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FULL):
                await self._room.wait()
        if consumer._subscription.fetcher_idle_time < _ALIVE:  # noqa: SLF001 - no public way to ask
            return {}
        # Who does not poll is taken for dead: a single record fits in however much waits here.
        return await _fetch(consumer, timeout_ms=0, max_records=1)

    def _has_room(self, place: TopicPartition) -> bool:
        tracker = self.trackers.get(place)
        if tracker is None:
            return True
        with self._lanes.lock:
            too_long = tracker.span >= self._options.span
        return not too_long and not self._lanes.full(place)

    def _take(self, place: TopicPartition, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        tracker = self.trackers.get(place)
        queue = queue_of(self._options.prefix, place.topic)
        if tracker is None or queue is None or not records:
            return
        if tracker.next is not None and records[0].offset < tracker.next:  # it was reset
            tracker = Tracker()
            self._begin_anew(place, tracker)
        with self._lanes.lock:
            news = [record for record in records if tracker.add(record.offset)]
        taken = taken_in(place, news, queue, tracker, self._options.order_of(queue))
        if taken:
            self._lanes.put(queue, taken)

    # Where logs end

    async def _compare(self, consumer: AIOKafkaConsumer) -> None:
        """Looks, once a second, for logs that took the place of others."""
        now = asyncio.get_running_loop().time()
        if now < self._compare_at:
            return
        self._compare_at = now + _LOOK
        for place in consumer.assignment():
            tracker = self.trackers.get(place)
            read = tracker.next if tracker is not None else None
            if self._shorter.remade(place, consumer.highwater(place), read, now):
                begin = (await consumer.beginning_offsets([place]))[place]
                self._begin_anew(place, Tracker(begin))
                consumer.seek(place, begin)
                with contextlib.suppress(*DRIVER_ERRORS):  # what ends next is committed anyway
                    async with asyncio.timeout(_COMMIT):
                        await consumer.commit({place: OffsetAndMetadata(begin, "")})

    async def settle(self, topic: str) -> None:
        """Waits until the partitions of a topic are dealt and were read once, as far as they go.

        What the servers say of a log's end before that is not certain: one that was made anew, or
        whose last batch was read in part, may look as if nothing were left. It does not wait for
        longer than a rebalance may take.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(self._options.timeout, self._options.rebalance_timeout)):
                while not self.is_settled(topic):  # noqa: ASYNC110 - the driver tells nobody
                    await asyncio.sleep(_FULL)

    def is_settled(self, topic: str) -> bool:
        """Tells whether the partitions of a topic are dealt and were read once."""
        consumer = self._consumer
        if consumer is None or not self._dealt or topic not in consumer.subscription():
            return False
        ours = [place for place in consumer.assignment() if place.topic == topic]
        return all(self.end_of(place) is not None for place in ours)

    def end_of(self, place: TopicPartition) -> int | None:
        """Returns where the log ended when it was last read, if it is read here."""
        consumer = self._consumer
        if consumer is None or place not in consumer.assignment():
            return None
        end: int | None = consumer.highwater(place)
        return end

    # Commits

    async def _commit_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._options.commit_interval)
            try:
                await self.commit()
            except DRIVER_ERRORS as error:
                # The partitions are another's by now, or the server is away; the next round tells.
                log.debug("A commit failed: %r", error)

    async def commit(self) -> None:
        """Commits what is done of all partitions, if there is news."""
        consumer = self._consumer
        if consumer is None:
            return
        news: dict[TopicPartition, OffsetAndMetadata] = {}
        with self._lanes.lock:
            for place, tracker in self.trackers.items():
                if (found := tracker.commit()) is not None:
                    news[TopicPartition(*place)] = OffsetAndMetadata(*found)
        news = {place: news[place] for place in news if place in consumer.assignment()}
        if news:
            # The driver tries again without end, and nobody may join meanwhile.
            async with asyncio.timeout(_COMMIT):
                await consumer.commit(news)
            with self._lanes.lock:
                for place, sent in news.items():
                    if place in self.trackers:
                        self.trackers[place].committed(sent.offset, sent.metadata)

    # Rebalances

    async def revoked(self) -> None:
        """Commits before partitions are dealt anew; what waits here goes on being handed out.

        Whoever gets a partition next begins nothing that runs here: the storage holds it.
        """
        self._dealt = False
        with contextlib.suppress(*DRIVER_ERRORS):
            await self.commit()

    async def dealt(self, places: Iterable[TopicPartition]) -> None:
        """Follows what was assigned: what came back as it was, and what is new from its commit."""
        consumer = self._consumer
        if consumer is None:
            return
        found = await committed_with_maps(consumer, places)
        ends = await consumer.end_offsets([place for place in found if place in self.trackers])
        for place, end in ends.items():
            if self.trackers[place].outdated(found[place][0], end):
                self._begin_anew(place, Tracker(*found[place]))
        self.assigned(found)
        for place, tracker in self.trackers.items():
            if tracker.next is not None:
                consumer.seek(TopicPartition(*place), tracker.next)
        self._dealt = True

    def _begin_anew(self, place: TopicPartition, tracker: Tracker) -> None:
        """Follows a log that took the place of another; the storage knows what has run."""
        log.error(
            "Partition %d of topic %s is another log than before: its topic was removed and made"
            " anew, and tasks that waited in it may be lost; it is read from its beginning, and"
            " qtasks doctor names tasks that are in no log",
            place.partition,
            place.topic,
        )
        with self._lanes.lock:
            self.trackers[place].close()
            self.trackers[place] = tracker
        self._lanes.drop(frozenset([place]))

    def assigned(self, found: dict[TopicPartition, Any]) -> None:
        """Keeps the trackers of these partitions, makes new ones, and drops those of others."""
        lost = frozenset(self.trackers) - frozenset(found)
        with self._lanes.lock:
            for place in lost:
                self.trackers.pop(place).close()
            for place, commit in found.items():
                offset, known = commit
                if place not in self.trackers:
                    self.trackers[place] = Tracker(offset, known)
                elif offset is not None:
                    self.trackers[place].forward(offset)
        if lost:
            self._lanes.drop(lost)
        self._room.set()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the driver has no types
    """Tells of rebalances.

    Args:
        consuming: whom.
    """

    def __init__(self, consuming: Consuming) -> None:
        self._consuming = consuming

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """All partitions are given up, to be dealt anew."""
        del revoked
        await self._consuming.revoked()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """These partitions are ours now."""
        await self._consuming.dealt(assigned)


async def _fetch(
    consumer: AIOKafkaConsumer,
    *places: TopicPartition,
    timeout_ms: int = _POLL_MS,
    max_records: int = _POLL,
) -> Mapping[TopicPartition, Sequence[Any]]:
    """Polls: returns the records of these partitions, or of all."""
    found: Mapping[TopicPartition, Sequence[Any]] = await consumer.getmany(
        *places, timeout_ms=timeout_ms, max_records=max_records
    )
    return found


def _tell(loop: asyncio.AbstractEventLoop, what: Any) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know
        loop.call_soon_threadsafe(what)
