"""What goes out in one round: the records of many callers, in few batches."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka import errors

from qtasks.exc import ServerError
from qtasks_broker_kafka.faults import not_written, refusing, translate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import AIOKafkaProducer

    from qtasks_broker_kafka.options import Options

__all__ = ["BATCH", "Batches", "Request", "Written"]

#: Bytes of a batch, unless one record alone takes more.
BATCH: Final = 512 * 1024
#: What a caller of whom nobody knows whether his tasks were written can do about it.
_UNSURE: Final = (
    "; whether the task was written is not known: add it again with the same task_id or unique_key,"
    " and it runs once"
)


class Written(NamedTuple):
    """What is to be written.

    Attributes:
        topic: where to.
        key: its key; records of one key go to one partition. None for any.
        value: the bytes; None takes back what was written under the key.
        task: the id of the task in it, for errors.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    task: str = ""


class Request:
    """What one caller waits for.

    Attributes:
        records: what is to be written.
        done: the caller's.
        refused: what the servers certainly do not have.
        error: why not all was acknowledged, or None.
    """

    def __init__(self, records: Sequence[Written]) -> None:
        self.records = records
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.refused: list[Written] = []
        self.error: Exception | None = None

    def answer(self) -> None:
        """Tells the caller."""
        if self.done.done():  # nobody waits any more
            return
        if self.error is None:
            self.done.set_result(None)
        elif isinstance(self.error, ServerError):
            self.done.set_exception(refusing(self.error, self.refused))
        else:
            self.done.set_exception(self.error)

    def failed(self, error: Exception, refused: Sequence[Written]) -> None:
        """Notes that records failed, and of which of them the servers certainly have none."""
        self.error = self.error or error
        self.refused += refused


class Batches:
    """Fills batches and sends them.

    Args:
        options: what the URL says.

    Attributes:
        begun: whether anything was sent.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._tasks = False
        self.begun = False
        self._open: dict[tuple[str, int], tuple[Any, list[tuple[Request, Written]]]] = {}
        self._sent: dict[asyncio.Future[Any], list[tuple[Request, Written]]] = {}

    async def add(
        self, producer: AIOKafkaProducer, record: Written, partition: int, request: Request
    ) -> None:
        """Adds a record of a request, and sends what has no room for it."""
        place = record.topic, partition
        for _ in range(2):
            if place not in self._open:
                self._open[place] = producer.create_batch(), []
            builder, entries = self._open[place]
            # The limit of a topic counts for whole batches; only a large record has one for itself.
            if not entries or builder.size() + len(record.value or b"") <= BATCH:
                added = builder.append(key=record.key, value=record.value, timestamp=None)
                if added is not None:
                    entries.append((request, record))
                    return
            await self._send(producer, place)
        msg = f"{len(record.value or b'')} bytes"
        raise errors.MessageSizeTooLargeError(msg)

    async def finish(self, producer: AIOKafkaProducer) -> None:
        """Sends the rest, waits for all, and notes at each request what failed of it."""
        for place in [*self._open]:
            await self._send(producer, place)
        if not self._sent:
            return
        # The driver keeps trying, for ever if the producer is idempotent.
        await asyncio.wait(self._sent, timeout=2 * self._options.timeout + 1)
        for future, entries in self._sent.items():
            error = _error_of(future)
            if error is None:
                continue
            told, known = self.told(error), not_written(error)
            for request, record in entries:
                request.failed(told, [record] if known else [])

    def told(self, error: BaseException) -> ServerError:
        """Returns the error for callers, which says whether the servers may have their records."""
        sure = not self.begun or not self._tasks or not_written(error)
        return translate(error, self._options, "" if sure else _UNSURE)

    async def _send(self, producer: AIOKafkaProducer, place: tuple[str, int]) -> None:
        builder, entries = self._open.pop(place)
        builder.close()
        topic, partition = place
        self.begun = True
        self._tasks = self._tasks or any(record.task for _, record in entries)
        future = await producer.send_batch(builder, topic, partition=partition)
        self._sent[future] = entries


def _error_of(future: asyncio.Future[Any]) -> BaseException | None:
    """Returns why a batch was not acknowledged; what it ends with later is of no interest."""
    if future.done() and not future.cancelled():
        return future.exception()
    future.add_done_callback(lambda late: late.cancelled() or late.exception())
    error: BaseException = errors.KafkaTimeoutError("no answer")
    return error
