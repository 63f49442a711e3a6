from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks.adapters.memory import MemoryBroker, MemoryStorage
from qtasks.exc import ConfigError, ServerError
from qtasks.schemas import (
    Claim,
    Fail,
    Message,
    RecordQuery,
    Retention,
    Settlement,
    Success,
    TaskError,
)
from qtasks.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Sized


def message(number: int = 1, **fields: object) -> Message:
    return Message(id=f"id-{number}", task="t", queue="q", payload=b"", **fields)  # type: ignore[arg-type]


async def test_a_plain_url_is_private() -> None:
    one, two = MemoryBroker("memory://"), MemoryBroker("memory://")
    await one.publish([message()])
    assert await one.queues() == ["q"]
    assert await two.queues() == []
    assert (await MemoryStorage().list(RecordQuery())).records == ()


async def test_a_name_is_shared_within_the_process() -> None:
    one, two = MemoryBroker("memory://shared"), MemoryBroker("memory://shared/")
    storage = MemoryStorage("memory://shared")
    try:
        await one.publish([message()])
        assert await two.queues() == ["q"]
        assert await storage.get(["id-1"]) == await one.storage.get(["id-1"])
        await two.stop()
        del one, two
        assert await MemoryBroker("memory://shared").queues() == ["q"]
    finally:
        await storage.flush()
    assert await MemoryBroker("memory://shared").queues() == []


@pytest.mark.parametrize("kind", [MemoryBroker, MemoryStorage])
def test_other_urls_are_refused(kind: type) -> None:
    with pytest.raises(ConfigError, match="'sqlite:///x' is not a memory URL"):
        kind("sqlite:///x")


def test_what_it_claims() -> None:
    for capabilities in (MemoryBroker.capabilities, MemoryStorage.capabilities):
        assert (capabilities.processes, capabilities.durable) == (False, False)
        assert (capabilities.blocking, capabilities.delay, capabilities.unique) == (True,) * 3


def test_broker_and_storage_share_the_retention() -> None:
    broker = MemoryBroker()
    broker.retention = Retention(1.0, 2.0)
    assert broker.storage.retention == Retention(1.0, 2.0)
    twin = broker.client()
    assert twin.retention == twin.storage.retention == Retention(1.0, 2.0)
    twin.retention = Retention(3.0, 4.0)
    assert broker.retention == Retention(1.0, 2.0)


async def test_a_strange_cursor_is_refused() -> None:
    with pytest.raises(ServerError, match="'x' is not a cursor"):
        await MemoryStorage().list(RecordQuery(cursor="x"))


async def test_page_sizes_are_bounded() -> None:
    broker = MemoryBroker()
    await broker.publish([message(number) for number in range(1002)])
    assert len((await broker.storage.list(RecordQuery(limit=5000))).records) == 1000
    assert len((await broker.storage.list(RecordQuery(limit=0))).records) == 1


async def test_a_drained_server_holds_nothing() -> None:
    clock = FakeClock()
    broker = MemoryBroker(clock=clock)
    store = broker._server.store
    await broker.publish(
        [message(n, expires=50.0 if n % 2 else None, unique_key=str(n)) for n in range(100)]
    )
    await broker.storage.state_update("b", {"k": b"v"}, ttl=5.0)
    await broker.storage.counter_add("c", 1, ttl=5.0)
    error = TaskError("x", "y")
    for _ in range(4):
        for delivery in await broker.claim(Claim(("q",), 10, 5.0, "w")):
            outcome = Success(b"x") if delivery.token % 3 else Fail(error)
            await broker.settle([Settlement(delivery.id, delivery.token, outcome, ttl=10.0)])
        await broker.claim(Claim(("q",), 5, 5.0, "dead"))
        clock.advance(6.0)
        await broker.sweep()
    await broker.purge("q")
    clock.advance(1e7)
    while (await broker.sweep()).more:
        pass
    sizes: list[Sized] = [store.rows, store.died, store.leases, store.finished, store.deadlines]
    sizes += [store.schedule, store.holds, store.unreported]
    assert [len(size) for size in sizes] == [0] * len(sizes)
    stats = await broker.stats("q")
    assert (stats.ready, stats.delayed, stats.leased, stats.finished, stats.dead) == (0,) * 5
    server = broker._server
    assert (server.buckets._buckets, server.counters._values) == ({}, {})
    assert (server.ready_bells._waiters, server.end_bells._waiters) == ({}, {})


async def test_it_says_that_nothing_lasts() -> None:
    server, persistence = await MemoryBroker().diagnose()

    assert (server.level, persistence.level) == ("ok", "warning")
    assert persistence.message.startswith("Nothing survives the end of this process")
