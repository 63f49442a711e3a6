"""Writing to the log: what many callers send goes out in few batches."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer, errors
from aiokafka.partitioner import DefaultPartitioner

from qtasks.exc import ServerError
from qtasks_broker_kafka.faults import DRIVER_ERRORS, translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks_broker_kafka.options import Options
    from qtasks_broker_kafka.topics import Topics

__all__ = ["Publisher", "Written"]

log = logging.getLogger(__name__)

#: Bytes that a batch takes beside the records in it, and a record beside its value; generous.
_OVERHEAD: Final = 4096
_BATCH: Final = 512 * 1024
_PARTITIONER: Final = DefaultPartitioner()


class Written(NamedTuple):
    """What is to be written.

    Attributes:
        topic: where to.
        key: its key; records of one key go to one partition. None for any.
        value: the bytes; None takes back what was written under the key.
    """

    topic: str
    key: bytes | None
    value: bytes | None


class Publisher:
    """Writes records; one round is under way, and what comes meanwhile goes with the next.

    Args:
        topics: makes topics that are missing.
        options: what the URL says.
    """

    def __init__(self, topics: Topics, options: Options) -> None:
        self._topics = topics
        self._options = options
        self._producer: AIOKafkaProducer | None = None
        self._waiting: list[tuple[Sequence[Written], asyncio.Future[None]]] = []
        self._sending: asyncio.Task[None] | None = None
        self._turn = count()
        self._idempotent = options.idempotence != "off"

    async def write(self, records: Sequence[Written]) -> None:
        """Writes records; returns when the servers have them.

        Raises:
            ServerError: not all of them were acknowledged.
        """
        for record in records:
            if record.value is not None and len(record.value) > self._options.max_message:
                msg = (
                    f"a task takes {len(record.value)} bytes, and max_message="
                    f"{self._options.max_message}: raise it, also as max.message.bytes of the topic"
                )
                raise ServerError(msg)
        with translated(self._options):
            await self._topics.ensure({record.topic for record in records})
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((records, done))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send_all())
        await done

    async def close(self) -> None:
        """Waits for what is under way and disconnects."""
        if self._sending is not None:
            await self._sending
        await self._drop()

    async def _send_all(self) -> None:
        while self._waiting:
            requests, self._waiting = self._waiting, []
            failures: dict[int, BaseException] = {}
            try:
                with translated(self._options):
                    failures = await self._send(requests)
            except ServerError as error:
                failures = dict.fromkeys(range(len(requests)), error)
            except Exception as error:  # noqa: BLE001 - the callers get it
                failures = dict.fromkeys(range(len(requests)), error)
            if failures:
                self._topics.forget()  # one of them may be gone
                await self._drop()  # an idempotent producer is of no use after a failure
            for number, (_, done) in enumerate(requests):
                if done.done():
                    continue
                if number in failures:
                    done.set_exception(failures[number])
                else:
                    done.set_result(None)

    async def _send(
        self, requests: Sequence[tuple[Sequence[Written], asyncio.Future[None]]]
    ) -> dict[int, BaseException]:
        """Sends records of several requests; returns what failed, by the request's number."""
        topics = {record.topic for records, _ in requests for record in records}
        producer = await self._connected()
        parts = {topic: sorted(await producer.partitions_for(topic)) for topic in topics}
        batches = _Batches(producer)
        for number, (records, _) in enumerate(requests):
            for record in records:
                partition = self._partition(record, parts[record.topic])
                await batches.add(record, partition, number)
        return await batches.finish(self._options)

    def _partition(self, record: Written, partitions: list[int]) -> int:
        if record.key is None:
            return partitions[next(self._turn) % len(partitions)]
        chosen: int = _PARTITIONER(record.key, partitions, partitions)
        return chosen

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None and self._idempotent:
            try:
                self._producer = await self._start(idempotent=True)
            except (errors.KafkaError, TimeoutError) as error:
                if isinstance(error, TimeoutError | errors.KafkaConnectionError):
                    raise  # it may have them, and is away
                self._give_up(error)
        if self._producer is None:
            self._producer = await self._start(idempotent=False)
        return self._producer

    def _give_up(self, error: BaseException) -> None:
        """Does without idempotence, unless the URL asks for it."""
        reason = f"{type(error).__name__}: {error}"
        if self._options.idempotence == "on":
            msg = (
                f"Kafka at {self._options.place} has no idempotent producers ({reason}): leave"
                " idempotence=on out of the URL"
            )
            raise ServerError(msg)
        self._idempotent = False
        log.warning(
            "Kafka at %s has no idempotent producers (%s): a repeated send may leave two records of"
            " a task, of which one is run",
            self._options.place,
            reason,
        )

    async def _start(self, *, idempotent: bool) -> AIOKafkaProducer:
        compression = self._options.compression
        producer = AIOKafkaProducer(
            **self._options.connection(),
            acks="all",
            enable_idempotence=idempotent,
            compression_type=None if compression == "none" else compression,
            max_batch_size=max(_BATCH, self._options.max_message) + _OVERHEAD,
            max_request_size=max(_BATCH, self._options.max_message) + 2 * _OVERHEAD,
        )
        try:
            async with asyncio.timeout(self._options.timeout):
                await producer.start()
        except BaseException:
            await _stop(producer)
            raise
        return producer

    async def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)


class _Batches:
    """Fills batches and sends them.

    Args:
        producer: sends them.
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._open: dict[tuple[str, int], tuple[Any, set[int]]] = {}
        self._sent: list[tuple[asyncio.Future[Any], set[int]]] = []

    async def add(self, record: Written, partition: int, number: int) -> None:
        """Adds a record of the request with this number."""
        place = record.topic, partition
        for _ in range(2):
            if place not in self._open:
                self._open[place] = self._producer.create_batch(), set()
            builder, numbers = self._open[place]
            # The limit of a topic counts for whole batches; only a large record has one for itself.
            if not numbers or builder.size() + len(record.value or b"") <= _BATCH:
                added = builder.append(key=record.key, value=record.value, timestamp=None)
                if added is not None:
                    numbers.add(number)
                    return
            await self._send(place)
        msg = f"{len(record.value or b'')} bytes"
        raise errors.MessageSizeTooLargeError(msg)

    async def finish(self, options: Options) -> dict[int, BaseException]:
        """Sends the rest and waits for all; returns what failed, by the request's number."""
        for place in [*self._open]:
            await self._send(place)
        failures: dict[int, BaseException] = {}
        for future, numbers in self._sent:
            try:
                with translated(options):
                    await future
            except ServerError as error:
                failures |= dict.fromkeys(numbers, error)
        return failures

    async def _send(self, place: tuple[str, int]) -> None:
        builder, numbers = self._open.pop(place)
        builder.close()
        topic, partition = place
        future = await self._producer.send_batch(builder, topic, partition=partition)
        self._sent.append((future, numbers))


async def _stop(producer: AIOKafkaProducer) -> None:
    """Stops a producer that may be broken, without waiting for what it cannot send."""
    with contextlib.suppress(*DRIVER_ERRORS):
        async with asyncio.timeout(1.0):
            await producer.stop()
