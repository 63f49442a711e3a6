"""Pauses and presences: a small topic that keeps the last word about each of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Final

import msgspec
from aiokafka import TopicPartition

from qtasks.exc import ServerError
from qtasks.schemas import Presence
from qtasks_broker_kafka.batches import Written
from qtasks_broker_kafka.faults import DRIVER_ERRORS
from qtasks_broker_kafka.names import control_topic

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

    from qtasks_broker_kafka.lanes import Lanes
    from qtasks_broker_kafka.options import Options
    from qtasks_broker_kafka.publishing import Publisher
    from qtasks_broker_kafka.topics import Topics

__all__ = ["Control"]

log = logging.getLogger(__name__)

_PAUSE: Final = "pause:"
_WORKER: Final = "worker:"
#: Seconds between two looks for words of others.
_LOOK: Final = 1.0
#: Seconds after which what a worker left behind is removed.
_LEFT_BEHIND: Final = 60.0


class _Report(msgspec.Struct, frozen=True):
    """A worker's sign of life, and until when it counts: seconds since the epoch."""

    presence: Presence
    until: float


class Control:
    """Reads and writes the topic.

    Args:
        publisher: writes.
        topics: tells whether the topic is there.
        options: what the URL says.
        lanes: is told which queues are paused.
    """

    def __init__(
        self, publisher: Publisher, topics: Topics, options: Options, lanes: Lanes
    ) -> None:
        self._publisher = publisher
        self._topics = topics
        self._options = options
        self._lanes = lanes
        self._place = TopicPartition(control_topic(options.prefix), 0)
        self._words: dict[str, bytes] = {}
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
        self._apply()

    async def pause(self, queue: str) -> None:
        """Pauses a queue for all workers."""
        await self._say(f"{_PAUSE}{queue}", b"1")

    async def resume(self, queue: str) -> None:
        """Lets all workers take from a queue again."""
        await self.refresh()
        if f"{_PAUSE}{queue}" in self._words:
            await self._say(f"{_PAUSE}{queue}", None)

    async def paused(self, queue: str) -> bool:
        """Tells whether a queue is paused."""
        await self.refresh()
        return f"{_PAUSE}{queue}" in self._words

    async def report(self, presence: Presence, ttl: float) -> None:
        """Notes a worker's sign of life, or that it says goodbye."""
        word = msgspec.msgpack.encode(_Report(presence, time.time() + ttl)) if ttl > 0 else None
        try:
            await self._say(f"{_WORKER}{presence.worker}", word)
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
        return [report.presence for report in self._reports().values() if report.until > now]

    async def tidy(self) -> None:
        """Removes what dead workers left behind."""
        long_ago = time.time() - _LEFT_BEHIND
        for key, report in self._reports().items():
            if report.until < long_ago:
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
        except BaseException:
            await reader.stop()
            raise
        self._reader = reader

    async def _read(self, reader: AIOKafkaConsumer) -> None:
        end = (await reader.end_offsets([self._place]))[self._place]
        async with asyncio.timeout(self._options.timeout):
            while await reader.position(self._place) < end:
                for record in (await reader.getmany(timeout_ms=100)).get(self._place, ()):
                    self._hear((record.key or b"").decode(errors="replace"), record.value)
        self._apply()

    def _hear(self, key: str, value: bytes | None) -> None:
        if value is None:
            self._words.pop(key, None)
        else:
            self._words[key] = value

    def _apply(self) -> None:
        paused = frozenset(
            key.removeprefix(_PAUSE) for key in self._words if key.startswith(_PAUSE)
        )
        if paused != self._lanes.paused:
            self._lanes.paused = paused
            self._lanes.bell.ring()

    def _reports(self) -> dict[str, _Report]:
        reports: dict[str, _Report] = {}
        for key, value in self._words.items():
            if key.startswith(_WORKER):
                with contextlib.suppress(msgspec.MsgspecError):  # of another version: not for us
                    reports[key] = msgspec.msgpack.decode(value, type=_Report)
        return reports

    async def _say(self, key: str, value: bytes | None) -> None:
        await self._publisher.write([Written(self._place.topic, key.encode(), value)])
        self._hear(key, value)
        self._apply()

    async def _follow(self) -> None:
        while True:
            try:
                await self.refresh()
            except DRIVER_ERRORS as error:
                log.debug("The pauses of queues cannot be read now: %r", error)
            await asyncio.sleep(_LOOK)
