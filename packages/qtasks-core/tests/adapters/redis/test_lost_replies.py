"""Calls whose reply was lost: they may have been carried out, and nobody knows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.redis import RedisBroker
from qtasks.adapters.redis.scripts import load
from qtasks.asyncio import QueueTasks
from qtasks.exc import ServerUnavailableError
from qtasks.schemas import Claim, Message, Receipt, RecordQuery, Retry, Settlement, Success
from qtasks.testing.conformance.base import complete

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from servers.process import Server
    from servers.proxy import Proxy

CLAIM = load("claim").sha.encode()
SETTLE = load("settle").sha.encode()
ADD = load("add").sha.encode()
PUBLISH = load("publish").sha.encode()


def claim(limit: int = 100, *, worker: str = "w", suspects: int = 1) -> Claim:
    return Claim(queues=("q",), limit=limit, lease=1000.0, worker=worker, suspects=suspects)


def messages(number: int, key: str | None = None) -> list[Message]:
    return [
        Message(f"id-{n}", "task", "q", b"", unique_key=None if key is None else f"{key}-{n}")
        for n in range(number)
    ]


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    return make_server()


@pytest.fixture
def proxy(server: Server, make_proxy: Callable[..., Proxy]) -> Proxy:
    return make_proxy(server)


@pytest.fixture
async def broker(proxy: Proxy) -> AsyncIterator[RedisBroker]:
    broker = RedisBroker(proxy.url)
    await broker.start()
    # So that the server knows the scripts, and a lost reply is not about them.
    await broker.publish([Message("other", "task", "other", b"")])
    await broker.claim(claim())
    yield broker
    await broker.stop()


async def lost(broker: RedisBroker, request: Claim) -> None:
    with pytest.raises(ServerUnavailableError):
        await broker.claim(request)


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_the_next_claim_gets_the_same_deliveries(
    times: int, broker: RedisBroker, proxy: Proxy
) -> None:
    await broker.publish(messages(5))
    proxy.lose_reply(CLAIM, times=times)
    for _ in range(times):
        await lost(broker, claim(2))
    found = await broker.claim(claim(4))
    assert sorted(delivery.id for delivery in found) == ["id-0", "id-1", "id-2", "id-3"]
    assert {(delivery.deliveries, delivery.lost) for delivery in found} == {(1, 0)}
    settled = [Settlement(d.id, d.token, Success(), receipt=d.receipt) for d in found]
    assert await broker.settle(settled) == []
    assert [delivery.id for delivery in await broker.claim(claim())] == ["id-4"]


async def test_what_two_claims_at_once_had_is_not_lost_either(
    broker: RedisBroker, proxy: Proxy
) -> None:
    """They follow each other over one connection, which ends with the first lost reply."""
    await broker.publish(messages(6))
    proxy.lose_reply(CLAIM)
    await asyncio.gather(lost(broker, claim(2)), lost(broker, claim(3)))

    found = await broker.claim(claim(5))

    assert sorted(delivery.id for delivery in found) == [f"id-{n}" for n in range(5)]
    assert {(delivery.deliveries, delivery.lost) for delivery in found} == {(1, 0)}
    assert [delivery.id for delivery in await broker.claim(claim())] == ["id-5"]


async def test_what_has_no_room_any_more_is_given_back(
    broker: RedisBroker, proxy: Proxy, server: Server
) -> None:
    """A worker that has begun to stop, or is full, leaves it to others."""
    await broker.publish(messages(3))
    proxy.lose_reply(CLAIM)
    await lost(broker, claim(3))
    found = await broker.claim(claim(1))
    assert len(found) == 1
    other = RedisBroker(server.url)
    await other.start()
    try:
        rest = await other.claim(claim(worker="other"))
    finally:
        await other.stop()
    assert {d.id for d in (*found, *rest)} == {"id-0", "id-1", "id-2"}
    assert {d.lost for d in rest} == {0}


async def test_nobody_else_gets_what_a_lost_reply_held(
    broker: RedisBroker, proxy: Proxy, server: Server
) -> None:
    await broker.publish(messages(1))
    proxy.lose_reply(CLAIM)
    await lost(broker, claim())
    other = RedisBroker(server.url)
    await other.start()
    try:
        assert await other.claim(claim(worker="other")) == []
    finally:
        await other.stop()


async def test_a_request_that_never_came_is_no_claim(broker: RedisBroker, proxy: Proxy) -> None:
    await broker.publish(messages(2))
    proxy.lose_request(CLAIM)
    await lost(broker, claim())
    found = await broker.claim(claim())
    assert [(delivery.id, delivery.deliveries) for delivery in found] == [("id-0", 1), ("id-1", 1)]


async def test_outcomes_may_be_sent_again(broker: RedisBroker, proxy: Proxy) -> None:
    """They were written; a second time they are not refused, and change nothing."""
    await broker.publish(messages(2))
    one, two = await broker.claim(claim())
    settlements = [
        Settlement(one.id, one.token, Success(b"1"), receipt=one.receipt),
        Settlement(two.id, two.token, Retry(delay=1000.0), attempts=1, receipt=two.receipt),
    ]
    proxy.lose_reply(SETTLE)
    with pytest.raises(ServerUnavailableError):
        await broker.settle(settlements)
    assert await broker.settle(settlements) == []
    first, second = await broker.storage.get([one.id, two.id])
    assert first is not None
    assert second is not None
    assert (first.result, second.attempts) == (b"1", 1)


@pytest.mark.parametrize("key", [None, "unique"])
@pytest.mark.parametrize("twin", [False, True])
async def test_a_publication_is_sent_again_by_itself(
    twin: bool, key: str | None, broker: RedisBroker, server: Server, proxy: Proxy
) -> None:
    """The caller does not notice; the receipt says that it is known by now."""
    two = messages(2, key)
    script = load("add" if key is None else "publish")
    server.execute("SCRIPT", "LOAD", script.text)
    publisher = broker.client() if twin else broker
    if twin:
        complete(publisher.start())
    proxy.lose_reply(script.sha.encode())
    receipts = complete(publisher.publish(two)) if twin else await publisher.publish(two)
    if twin:
        complete(publisher.stop())
    assert receipts == [Receipt("id-0", created=False), Receipt("id-1", created=False)]
    assert len(await broker.claim(claim())) == 2
    assert proxy.cuts == 1


async def test_a_publication_that_fails_twice_may_be_tried_again(
    broker: RedisBroker, proxy: Proxy
) -> None:
    proxy.lose_reply(ADD, times=2)
    with pytest.raises(ServerUnavailableError):
        await broker.publish(messages(2))
    assert [receipt.created for receipt in await broker.publish(messages(3))] == [
        False,
        False,
        True,
    ]
    assert len(await broker.claim(claim())) == 3


async def test_a_caller_whose_reply_was_lost_has_one_task(proxy: Proxy) -> None:
    async with QueueTasks(broker_url=proxy.url) as app:

        @app.task
        async def work() -> None: ...

        await work.add_task()
        proxy.lose_reply(PUBLISH)
        handle = await work.add_task(unique_key="k")
        assert handle.status == "new"
        assert (await app.stats())[0].ready == 2


@pytest.mark.parametrize(
    "read",
    [
        lambda broker: broker.storage.get(["id-0"]),
        lambda broker: broker.storage.wait(["id-0"], 30.0),
        lambda broker: broker.storage.list(RecordQuery()),
        lambda broker: broker.stats("q"),
        lambda broker: broker.workers(),
    ],
    ids=["get", "wait", "list", "stats", "workers"],
)
async def test_who_only_reads_does_not_suffer_from_the_loss_of_another(
    read: Callable[[RedisBroker], Awaitable[Any]], broker: RedisBroker, proxy: Proxy
) -> None:
    """They share a connection, and it may end under both."""
    await broker.publish(messages(1))
    (delivery,) = await broker.claim(claim())
    await broker.settle([Settlement("id-0", delivery.token, Success(), receipt=delivery.receipt)])
    assert broker.storage is not None
    await broker.storage.counter_add("seen", 1, 60.0)  # the server knows the script then
    proxy.lose_reply(load("counter").sha.encode())

    count, found = await asyncio.gather(
        broker.storage.counter_add("seen", 1, 60.0), read(broker), return_exceptions=True
    )

    assert isinstance(count, ServerUnavailableError)
    assert found == await read(broker)
