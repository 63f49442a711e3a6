"""Writing to the log: what many callers send goes out in few batches."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from itertools import count
from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaProducer, errors
from aiokafka.partitioner import DefaultPartitioner

from qtasks.exc import ServerError
from qtasks_broker_kafka.batches import BATCH, Batches, Request, Written
from qtasks_broker_kafka.faults import DRIVER_ERRORS, refusing, translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks_broker_kafka.options import Options
    from qtasks_broker_kafka.topics import Topics

__all__ = ["Publisher", "Written"]

log = logging.getLogger(__name__)

#: Bytes that a batch takes beside the records in it; generous.
_OVERHEAD: Final = 4096
_PARTITIONER: Final = DefaultPartitioner()


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
        self._waiting: list[Request] = []
        self._sending: asyncio.Task[None] | None = None
        self._turn = count()
        self._idempotent = options.idempotence != "off"
        self._connecting = asyncio.Lock()
        self._without = ""
        self._telling = self._told = False

    async def write(self, records: Sequence[Written]) -> bool:
        """Writes records; returns when the servers have them, and whether topics were made.

        Raises:
            ServerError: not all of them were acknowledged; ``refused`` has those of which the
                servers certainly have none.
        """
        try:
            self._check(records)
            with translated(self._options):
                made = await self._topics.ensure({record.topic for record in records})
        except ServerError as error:
            raise refusing(error, records) from error.__cause__
        request = Request(records)
        self._waiting.append(request)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send_all())
        await request.done
        return made

    def _check(self, records: Sequence[Written]) -> None:
        for record in records:
            if record.value is not None and len(record.value) > self._options.max_message:
                msg = (
                    f"a task takes {len(record.value)} bytes, and max_message="
                    f"{self._options.max_message}: raise it, also as max.message.bytes of the topic"
                )
                raise ServerError(msg)

    async def close(self) -> None:
        """Waits for what is under way and disconnects."""
        if self._sending is not None:
            await self._sending
        await self._drop()

    async def _send_all(self) -> None:
        while self._waiting:
            requests, self._waiting = self._waiting, []
            batches = Batches(self._options)
            try:
                await self._send(requests, batches)
            except Exception as error:  # noqa: BLE001 - the callers get it
                told = batches.told(error) if isinstance(error, DRIVER_ERRORS) else error
                for request in requests:
                    request.failed(told, [] if batches.begun else request.records)
            if any(request.error is not None for request in requests):
                self._topics.forget()  # one of them may be gone
                await self._drop()  # an idempotent producer is of no use after a failure
            for request in requests:
                request.answer()

    async def _send(self, requests: Sequence[Request], batches: Batches) -> None:
        producer = await self._connected()
        topics = {record.topic for request in requests for record in request.records}
        parts = {topic: sorted(await producer.partitions_for(topic)) for topic in topics}
        for request in requests:
            for record in request.records:
                partition = self._partition(record, parts[record.topic])
                await batches.add(producer, record, partition, request)
        await batches.finish(producer)

    def _partition(self, record: Written, partitions: list[int]) -> int:
        if record.key is None:
            return partitions[next(self._turn) % len(partitions)]
        chosen: int = _PARTITIONER(record.key, partitions, partitions)
        return chosen

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            return await self._connect()

    async def _connect(self) -> AIOKafkaProducer:
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
        self._without = reason
        self._tell()

    def tell_of_copies(self) -> None:
        """Warns, once and from now on, of a server without idempotent producers.

        Workers say it; of a program that adds a task and ends it would be said too often.
        """
        self._telling = True
        self._tell()

    def _tell(self) -> None:
        if self._telling and self._without and not self._told:
            self._told = True
            log.warning(
                "Kafka at %s has no idempotent producers (%s): a repeated send may leave two"
                " records of a task, of which one is run",
                self._options.place,
                self._without,
            )

    async def idempotence(self) -> str:
        """Returns why there are no idempotent producers; empty if there are."""
        await self._connected()
        return "" if self._idempotent else self._without or "idempotence=off"

    async def _start(self, *, idempotent: bool) -> AIOKafkaProducer:
        compression = self._options.compression
        producer = AIOKafkaProducer(
            **self._options.connection(),
            acks="all",
            enable_idempotence=idempotent,
            compression_type=None if compression == "none" else compression,
            max_batch_size=max(BATCH, self._options.max_message) + _OVERHEAD,
            max_request_size=max(BATCH, self._options.max_message) + 2 * _OVERHEAD,
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


async def _stop(producer: AIOKafkaProducer) -> None:
    """Stops a producer that may be broken, without waiting for what it cannot send."""
    with contextlib.suppress(*DRIVER_ERRORS):
        try:
            async with asyncio.timeout(1.0):
                await producer.stop()
        except TimeoutError:  # with idempotence it would go on trying for ever
            sender = producer._sender.sender_task  # noqa: SLF001 - no public way to give up
            if sender is not None:
                sender.cancel()
            await producer.client.close()
