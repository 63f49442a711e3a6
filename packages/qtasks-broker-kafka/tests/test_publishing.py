"""What callers are told of records that were not acknowledged."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import errors
from aiokafka.producer.message_accumulator import BatchBuilder

from qtasks.exc import ServerError, ServerUnavailableError
from qtasks_broker_kafka.batches import Batches, Request, Written
from qtasks_broker_kafka.options import Options

OPTIONS = Options((("host", 1),), timeout=0.01)


class Producer:
    """Answers batches of a partition as it is told, or never.

    Args:
        answers: what to fail with, by partition; None for success.
    """

    def __init__(self, answers: dict[int, Exception | None]) -> None:
        self._answers = answers
        self.futures: list[asyncio.Future[None]] = []

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(1_000_000, 0)

    async def send_batch(self, _: Any, topic: str, *, partition: int) -> asyncio.Future[None]:
        assert topic == "t"
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if partition in self._answers:
            error = self._answers[partition]
            future.set_result(None) if error is None else future.set_exception(error)
        self.futures.append(future)
        return future


async def sent(producer: Any, *requests: Request) -> None:
    """Sends requests, the first record of each to the first partition and so on."""
    batches = Batches(OPTIONS)
    for request in requests:
        for partition, record in enumerate(request.records):
            await batches.add(producer, record, partition, request)
    await batches.finish(producer)
    for request in requests:
        request.answer()


def request_of(*tasks: str) -> Request:
    return Request([Written("t", None, b"1", task) for task in tasks])


async def test_what_a_server_refuses_is_told_task_by_task() -> None:
    producer = Producer({0: None, 1: errors.MessageSizeTooLargeError("9"), 2: None})
    alone, both, three = request_of("a"), request_of("b", "c"), request_of("d", "e", "f")
    await sent(producer, alone, both, three)
    await alone.done
    for request, refused in ((both, "c"), (three, "e")):
        with pytest.raises(ServerError, match=r"raise max\.message\.bytes") as caught:
            await request.done
        assert caught.value.refused == {refused}
        assert "not known" not in str(caught.value)


async def test_of_what_is_not_answered_nobody_knows_whether_it_was_written() -> None:
    producer = Producer({0: None})
    request = request_of("a", "b")
    await sent(producer, request)
    with pytest.raises(ServerUnavailableError, match="not known: add it again with") as caught:
        await request.done
    assert caught.value.refused == frozenset()
    producer.futures[-1].set_exception(errors.KafkaTimeoutError("late"))  # warns nobody


async def test_what_is_no_task_need_not_be_added_again() -> None:
    request = request_of("")
    await sent(Producer({}), request)
    with pytest.raises(ServerUnavailableError, match=r"no answer$"):
        await request.done


async def test_who_does_not_wait_any_more_is_told_nothing() -> None:
    request = request_of("a")
    request.done.cancel()
    await sent(Producer({0: errors.InvalidTopicError("t")}), request)
    assert request.done.cancelled()
