"""What is large travels in pieces, each of which is over the wire in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks.adapters.redis import RedisBroker
from qtasks.adapters.redis.steps import MOST_BYTES, cut
from qtasks.schemas import Claim, Delivery, Message, Settlement, Success

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from servers.process import Server
    from servers.proxy import Proxy

LARGE = b"x" * 1024 * 1024
COUNT = 20
#: What a message or an outcome has beside its payload, and the script's name.
BESIDE = 64 * 1024


@pytest.fixture
def proxy(make_server: Callable[..., Server], make_proxy: Callable[..., Proxy]) -> Proxy:
    return make_proxy(make_server())


@pytest.fixture
async def broker(proxy: Proxy) -> AsyncIterator[RedisBroker]:
    broker = RedisBroker(proxy.url)
    await broker.start()
    yield broker
    await broker.stop()


def messages(queue: str = "q") -> list[Message]:
    return [Message(f"{queue}{number}", "t", queue, LARGE) for number in range(COUNT)]


async def claim(broker: RedisBroker, *queues: str) -> list[Delivery]:
    return await broker.claim(Claim(queues, 2 * COUNT, 15.0, "w"))


async def test_everything_arrives_in_its_order(broker: RedisBroker) -> None:
    receipts = await broker.publish(messages())
    assert all(receipt.created for receipt in receipts)

    found: list[Delivery] = []
    while got := await claim(broker, "q"):
        assert len(got) <= MOST_BYTES // len(LARGE)
        found += got
        assert len(found) == COUNT or await broker.ready(("q",), 5.0)
    refused = await broker.settle(
        [Settlement(d.id, d.token, Success(LARGE), receipt=d.receipt) for d in found]
    )

    assert [delivery.id for delivery in found] == [message.id for message in messages()]
    assert refused == []
    assert (await broker.stats("q")).finished == COUNT


async def test_another_queue_is_not_forgotten(broker: RedisBroker) -> None:
    await broker.publish(messages("q"))
    await broker.publish(messages("next")[:1])
    assert await broker.ready(("q", "next"), 5.0)

    await claim(broker, "q", "next")

    assert await broker.ready(("next",), 5.0)
    assert [delivery.id for delivery in await claim(broker, "next")] == ["next0"]


async def test_no_request_is_larger_than_a_step(broker: RedisBroker, proxy: Proxy) -> None:
    await broker.publish(messages()[:1])
    await claim(broker, "q")
    proxy.reset()

    await broker.publish(messages("next"))

    traffic = proxy.reset()
    assert traffic.round_trips >= COUNT * len(LARGE) / MOST_BYTES
    assert traffic.sent < COUNT * (len(LARGE) + BESIDE)


@pytest.mark.parametrize(
    ("sizes", "stretches"),
    [
        ([], []),
        ([MOST_BYTES * 2], [1]),
        ([1, 1, 1, 1, 1], [3, 2]),
        ([MOST_BYTES, 1, 1], [1, 2]),
        ([1, MOST_BYTES, 1], [1, 1, 1]),
    ],
)
def test_stretches_end_by_number_or_by_size(sizes: list[int], stretches: list[int]) -> None:
    assert [len(step) for step in cut(sizes, 3, int)] == stretches
