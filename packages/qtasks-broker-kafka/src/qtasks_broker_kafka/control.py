"""Pauses and presences: a small topic that keeps the last word about each of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Final

from aiokafka import TopicPartition

from qtasks.exc import ServerError
from qtasks_broker_kafka.batches import Written
from qtasks_broker_kafka.faults import DRIVER_ERRORS
from qtasks_broker_kafka.names import control_topic
from qtasks_broker_kafka.words import PAUSED, Words, pause_key, report, worker_key

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

    from qtasks.schemas import Presence
    from qtasks_broker_kafka.lanes import Lanes
    from qtasks_broker_kafka.options import Options
    from qtasks_broker_kafka.outage import Outage
    from qtasks_broker_kafka.publishing import Publisher
    from qtasks_broker_kafka.topics import Topics

__all__ = ["Control"]

log = logging.getLogger(__name__)

#: Seconds between two looks for words of others.
_LOOK: Final = 1.0
#: Seconds after which what a worker left behind is removed.
_LEFT_BEHIND: Final = 60.0
#: Seconds that a sign of life may take at most and at least, and between them the part of the time
#: for which it counts. Who gives it renews leases too, and those must not run out because Kafka is
#: silent.
_SIGN: Final = 3.0
_QUICK: Final = 1.0
_PART: Final = 0.2


class Control:
    """Reads and writes the topic.

    Args:
        publisher: writes.
        topics: tells whether the topic is there.
        options: what the URL says.
        lanes: is told which queues are paused.
        outage: hears whether the servers answer.
    """

    def __init__(
        self,
        publisher: Publisher,
        topics: Topics,
        options: Options,
        lanes: Lanes,
        outage: Outage,
    ) -> None:
        self._publisher = publisher
        self._topics = topics
        self._options = options
        self._lanes = lanes
        self._outage = outage
        self._place = TopicPartition(control_topic(options.prefix), 0)
        self._words = Words(control_topic(options.prefix))
        self._heard = 0
        self._reader: AIOKafkaConsumer | None = None
        self._reading = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None
        self._alone = False

    def follow(self) -> None:
        """Keeps up with what others say, from now on."""
        if self._following is None:
            self._following = asyncio.get_running_loop().create_task(self._follow())

    async def close(self) -> None:
        """Stops to follow and disconnects."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
            self._following = None
        await self.forget()

    async def forget(self) -> None:
        """Forgets all words."""
        reader, self._reader = self._reader, None
        if reader is not None:
            with contextlib.suppress(*DRIVER_ERRORS):
                await reader.stop()
        self._words.clear()
        self._heard = 0
        self._apply()

    async def pause(self, queue: str) -> None:
        """Pauses a queue for all workers."""
        await self._say(pause_key(queue), PAUSED)

    async def resume(self, queue: str) -> None:
        """Lets all workers take from a queue again."""
        await self.refresh()
        if queue in self._words.paused:
            await self._say(pause_key(queue), None)

    async def paused(self, queue: str) -> bool:
        """Tells whether a queue is paused."""
        await self.refresh()
        return queue in self._words.paused

    async def report(self, presence: Presence, ttl: float) -> None:
        """Notes a worker's sign of life, or that it says goodbye."""
        word = report(presence, ttl) if ttl > 0 else None
        try:
            async with asyncio.timeout(min(_SIGN, max(_QUICK, _PART * ttl))):
                await self._say(worker_key(presence.worker), word)
        except ServerError as error:
            if error.retriable or self._options.create:
                raise
            if not self._alone:
                log.warning("Nobody else sees this worker, and it sees no pauses: %s", error)
            self._alone = True

    async def workers(self) -> list[Presence]:
        """Lists the workers whose signs of life count."""
        await self.refresh()
        now = time.time()
        return [one.presence for one in self._words.reports.values() if one.until > now]

    async def tidy(self) -> None:
        """Removes what dead workers left behind."""
        long_ago = time.time() - _LEFT_BEHIND
        async with asyncio.timeout(_SIGN):
            for key, one in [*self._words.reports.items()]:
                if one.until < long_ago:
                    await self._say(key, None)

    async def refresh(self) -> None:
        """Reads what was said since."""
        async with self._reading:
            if self._reader is None:
                await self._open()
            if self._reader is not None:
                await self._read(self._reader)

    async def _open(self) -> None:
        if await self._topics.missing([self._place.topic]):
            return
        # The driver's consumer is imported and made late: most clients never ask.
        from aiokafka import AIOKafkaConsumer

        reader = AIOKafkaConsumer(
            **self._options.connection(), enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await reader.start()
            reader.assign([self._place])
            await reader.seek_to_beginning(self._place)
            reader.pause(self._place)
        except BaseException:
            await reader.stop()
            raise
        self._reader = reader

    async def _read(self, reader: AIOKafkaConsumer) -> None:
        """Reads up to the end; between two looks nothing is fetched, and the server has peace."""
        place = self._place
        end = (await reader.end_offsets([place]))[place]
        read = await reader.position(place)
        if read != end:
            reader.resume(place)
            try:
                async with asyncio.timeout(self._options.timeout):
                    await self._read_on(reader, end)
            finally:
                reader.pause(place)
        self._apply()

    async def _read_on(self, reader: AIOKafkaConsumer, end: int) -> None:
        place = self._place
        while True:
            for record in (await reader.getmany(timeout_ms=100)).get(place, ()):
                if record.offset < self._heard:  # the topic was removed and made anew
                    self._words.clear()
                self._heard = record.offset + 1
                self._words.hear(record.key, record.value)
            read, fetched = await reader.position(place), reader.highwater(place)
            if fetched is not None and fetched < read:  # likewise, and the new log is shorter
                self._words.clear()
                self._heard = 0
                await reader.seek_to_beginning(place)
            elif read >= end:
                return

    def _apply(self) -> None:
        paused = frozenset(self._words.paused)
        if paused != self._lanes.paused:
            self._lanes.paused = paused
            self._lanes.bell.ring()

    async def _say(self, key: str, value: bytes | None) -> None:
        await self._publisher.write([Written(self._place.topic, key.encode(), value)])
        self._words.hear(key.encode(), value)
        self._apply()

    async def _follow(self) -> None:
        while True:
            try:
                await self.refresh()
                self._outage.answered()
            except DRIVER_ERRORS as error:
                self._outage.failed(error)
            except Exception:
                log.exception("The pauses of queues cannot be read; the next look is in a second")
            await asyncio.sleep(_LOOK)
