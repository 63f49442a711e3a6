"""Values of running tasks: many, large, over lost connections, and in the slots of a cluster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.redis import RedisBroker
from qtasks.adapters.redis.engine import Engine
from qtasks.adapters.redis.scripts import load
from qtasks.adapters.redis.steps import MOST_BYTES
from qtasks.schemas import Chunk, Claim, Delivery, Message, Settlement, Streamed, Success
from qtasks.testing import FakeClock
from qtasks.testing.conformance.base import complete

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from servers.cluster import Cluster
    from servers.process import Server
    from servers.proxy import Proxy

    Reader = Callable[[str, int, int], Coroutine[Any, Any, Streamed]]

FOREVER = 1e6
#: Seconds after which a test gives up on what should have happened.
PATIENCE = 60.0


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    return make_server()


@pytest.fixture
def proxy(server: Server, make_proxy: Callable[..., Proxy]) -> Proxy:
    return make_proxy(server)


@pytest.fixture
async def broker(server: Server) -> AsyncIterator[RedisBroker]:
    broker = RedisBroker(server.url)
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def far(proxy: Proxy) -> AsyncIterator[RedisBroker]:
    """Another broker object, whose connections can be cut."""
    far = RedisBroker(proxy.url)
    await far.start()
    yield far
    await far.stop()


@pytest.fixture(params=["loop", "thread"])
def reader(request: pytest.FixtureRequest, far: RedisBroker) -> Reader:
    """Reads over the proxy, in the loop and in a thread."""
    twin = far.client()

    async def read_in_thread(id_: str, token: int, after: int) -> Streamed:
        def read() -> Streamed:
            complete(twin.start())
            try:
                found: Streamed = complete(twin.storage.read_stream(id_, token, after, FOREVER))
            finally:
                complete(twin.stop())
            return found

        return await asyncio.to_thread(read)

    async def read_in_loop(id_: str, token: int, after: int) -> Streamed:
        return await far.storage.read_stream(id_, token, after, FOREVER)

    return read_in_loop if request.param == "loop" else read_in_thread


def claim(queue: str = "q", limit: int = 1) -> Claim:
    return Claim((queue,), limit, FOREVER, "w")


async def started(broker: RedisBroker, id_: str = "id", queue: str = "q") -> Delivery:
    """Returns a task that runs."""
    await broker.publish([Message(id_, "t", queue, b"")])
    (delivery,) = await broker.claim(claim(queue))
    return delivery


def gave(delivery: Delivery, first: int, *values: bytes, ttl: float = FOREVER) -> Chunk:
    return Chunk(delivery.id, delivery.token, first, values, ttl, delivery.message.queue)


async def until(condition: Callable[[], object]) -> None:
    """Waits for what another process does."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


async def read_all(storage: Any, id_: str, limit: int) -> list[bytes]:
    """Reads as a client does: until the task is over and nothing is left."""
    values: list[bytes] = []
    token = 0
    while True:
        found = await storage.read_stream(id_, token, len(values), FOREVER, limit)
        assert found.first == len(values)
        token = found.token
        values += found.values
        if found.ended and not found.values:
            return values


# Connections


async def test_a_reader_whose_connections_are_cut_goes_on(
    broker: RedisBroker, server: Server, proxy: Proxy, reader: Reader
) -> None:
    run = await started(broker)
    for number, value in enumerate((b"a", b"b")):
        reading = asyncio.create_task(reader(run.id, run.token, number))
        await until(lambda: "cmd=blpop" in str(server.execute("CLIENT", "LIST")))
        await asyncio.to_thread(proxy.cut)
        await broker.storage.append_stream([gave(run, number, value)])
        found = await asyncio.wait_for(reading, PATIENCE)
        assert found == Streamed(run.token, number, (value,))


@pytest.mark.parametrize("lost", ["request", "reply"])
async def test_what_was_given_is_kept_once(
    broker: RedisBroker, far: RedisBroker, proxy: Proxy, lost: str
) -> None:
    """The call is made again by itself, whether it was carried out or not."""
    run = await started(broker)
    await far.storage.append_stream([gave(run, 0, b"a")])
    cut = proxy.lose_request if lost == "request" else proxy.lose_reply
    cut(load("append").sha.encode())
    await far.storage.append_stream([gave(run, 1, b"b", b"c")])
    assert proxy.cuts == 1
    found = await broker.storage.read_stream(run.id, 0, 0, 0)
    assert found.values == (b"a", b"b", b"c")


async def test_a_lost_answer_is_asked_for_again(
    broker: RedisBroker, far: RedisBroker, proxy: Proxy
) -> None:
    run = await started(broker)
    await broker.storage.append_stream([gave(run, 0, b"a")])
    assert (await far.storage.read_stream(run.id, 0, 0, 0)).values == (b"a",)
    proxy.lose_reply(load("read").sha.encode())
    assert (await far.storage.read_stream(run.id, 0, 0, 0)).values == (b"a",)
    assert proxy.cuts == 1


# Who is told


async def test_a_reader_is_told_of_values_and_of_the_end(
    broker: RedisBroker, server: Server, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It need not look again by itself, as it otherwise does every few seconds."""
    for module in ("links", "waiting"):
        monkeypatch.setattr(f"qtasks.adapters.redis.{module}.LONGEST_BLOCK", FOREVER)
    run = await started(broker)
    reading = asyncio.create_task(reader(run.id, 0, 0))
    await until(lambda: "cmd=blpop" in str(server.execute("CLIENT", "LIST")))
    await broker.storage.append_stream([gave(run, 0, b"a")])
    assert await asyncio.wait_for(reading, PATIENCE) == Streamed(run.token, 0, (b"a",))
    reading = asyncio.create_task(reader(run.id, run.token, 1))
    await until(lambda: server.execute("HEXISTS", f"qtasks:t:{run.id}", "wt"))
    await broker.settle([Settlement(run.id, run.token, Success(), ttl=FOREVER)])
    assert await asyncio.wait_for(reading, PATIENCE) == Streamed(run.token, 1, ended=True)


async def test_a_reader_that_is_gone_is_told_once(broker: RedisBroker, server: Server) -> None:
    """However long the task goes on, nothing piles up for it."""
    run = await started(broker)
    reading = asyncio.create_task(broker.storage.read_stream(run.id, 0, 0, FOREVER))
    await until(lambda: server.execute("HEXISTS", f"qtasks:t:{run.id}", "wt"))
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await broker.storage.stop()
    for number in range(10):
        await broker.storage.append_stream([gave(run, number, b"v")])
    notes = server.execute("KEYS", "qtasks:n:*")
    assert sum(server.execute("LLEN", note) for note in notes) <= 1
    assert not server.execute("HEXISTS", f"qtasks:t:{run.id}", "wt")


async def test_who_waits_for_the_end_is_not_told_of_values(
    broker: RedisBroker, far: RedisBroker, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await started(broker)
    scripts: list[str] = []
    call = Engine.run

    async def counted(engine: Engine, script: str, *args: Any, **blobs: Any) -> Any:
        scripts.append(script)
        return await call(engine, script, *args, **blobs)

    monkeypatch.setattr(Engine, "run", counted)
    waiting = asyncio.create_task(far.storage.wait([run.id], FOREVER))
    await until(lambda: server.execute("HEXISTS", f"qtasks:t:{run.id}", "wt"))
    reading = asyncio.create_task(broker.storage.read_stream(run.id, 0, 0, FOREVER))
    await until(lambda: "~" in str(server.execute("HGET", f"qtasks:t:{run.id}", "wt")))
    for number in range(10):
        await broker.storage.append_stream([gave(run, number, b"v")])
    assert (await asyncio.wait_for(reading, PATIENCE)).values
    assert not waiting.done()
    await broker.settle([Settlement(run.id, run.token, Success(), ttl=FOREVER)])
    assert set(await asyncio.wait_for(waiting, PATIENCE)) == {run.id}
    assert scripts.count("records") <= 3


# Many and large


async def test_many_values_are_read_whole_by_many(broker: RedisBroker, far: RedisBroker) -> None:
    """Readers that began before, meanwhile and after see the same, in loops and in threads."""
    run = await started(broker)
    values = [b"value %d" % number for number in range(10_000)]
    twin = far.client()
    complete(twin.start())

    def read_in_thread() -> list[bytes]:
        found: list[bytes] = complete(read_all(twin.storage, run.id, 500))
        return found

    readers: list[Any] = [
        asyncio.create_task(read_all(storage, run.id, limit))
        for storage, limit in ((broker.storage, 7), (broker.storage, 1000), (far.storage, 333))
    ]
    readers += [asyncio.create_task(asyncio.to_thread(read_in_thread)) for _ in range(2)]
    for first in range(0, len(values), 100):
        await broker.storage.append_stream([gave(run, first, *values[first : first + 100])])
        if first == 5000:
            readers.append(asyncio.create_task(read_all(far.storage, run.id, 300)))
    await broker.settle([Settlement(run.id, run.token, Success(), ttl=FOREVER)])
    readers.append(asyncio.create_task(read_all(broker.storage, run.id, 1000)))
    for reading in readers:
        assert await asyncio.wait_for(reading, PATIENCE) == values
    complete(twin.stop())


async def test_one_call_may_give_any_number_of_values(broker: RedisBroker) -> None:
    run = await started(broker)
    values = tuple(b"%d" % number for number in range(30_000))
    await broker.storage.append_stream([gave(run, 0, *values)])
    found = await broker.storage.read_stream(run.id, 0, 0, 0, limit=100_000)
    assert found.values == values


async def test_large_values_travel_in_pieces(far: RedisBroker, proxy: Proxy) -> None:
    run = await started(far)
    await far.storage.append_stream([gave(run, 0, b"first")])
    proxy.reset()
    await far.storage.append_stream([gave(run, 1, *(bytes(3_000_000),) * 5)])
    assert proxy.reset().round_trips == 3
    sizes = []
    after = 0
    while found := (await far.storage.read_stream(run.id, run.token, after, 0)).values:
        sizes.append([len(value) for value in found])
        after += len(found)
    assert sizes == [[5, 3_000_000], [3_000_000] * 2, [3_000_000] * 2]
    await far.storage.append_stream([gave(run, 6, bytes(2 * MOST_BYTES))])
    assert len((await far.storage.read_stream(run.id, run.token, 4, 0)).values) == 1
    assert len((await far.storage.read_stream(run.id, run.token, 6, 0)).values) == 1


# What is left


@pytest.mark.parametrize("scale", ["", "fake"])
async def test_values_go_by_themselves(server: Server, scale: str) -> None:
    """The server drops them; while a test moves the time, nobody sees them any more."""
    clock = FakeClock() if scale else None
    broker = RedisBroker(server.url, clock=clock)
    await broker.start()
    run = await started(broker)
    await broker.storage.append_stream([gave(run, 0, b"a", ttl=100.0)])
    key = f"qtasks:v:{run.id}"
    if clock is None:
        assert 0 < server.execute("PTTL", key) <= 100_000
    else:
        clock.advance(101)
        await broker.storage.append_stream([gave(run, 1, b"b", ttl=100.0)])
        assert await broker.storage.read_stream(run.id, 0, 0, 0) == Streamed(run.token, 1, (b"b",))
        clock.advance(101)
        assert await broker.storage.read_stream(run.id, 0, 0, 0) == Streamed()
        await broker.sweep()
        assert server.execute("KEYS", "qtasks:v*") == []
    await broker.stop()


async def test_a_sweep_that_leaves_values_says_so(server: Server) -> None:
    clock = FakeClock()
    broker = RedisBroker(server.url, clock=clock)
    await broker.start()
    runs = [await started(broker, f"id-{number}") for number in range(25)]
    await broker.storage.append_stream([gave(run, 0, b"v", ttl=1.0) for run in runs])
    clock.advance(2)
    left = []
    while (await broker.sweep(10)).more:
        left.append(server.execute("ZCARD", "qtasks:v"))
    assert left == [15, 5]
    assert server.execute("KEYS", "qtasks:v*") == []
    await broker.stop()


async def test_a_flush_finds_what_has_no_record(broker: RedisBroker, server: Server) -> None:
    await broker.publish([Message(f"id-{number}", "t", "q", b"") for number in range(1200)])
    runs = await broker.claim(claim(limit=1200))
    await broker.storage.append_stream([gave(run, 0, b"v") for run in runs])
    await broker.settle([Settlement(run.id, run.token, Success(), ttl=0.0) for run in runs])
    assert len(server.execute("KEYS", "qtasks:v:*")) == 1200
    await broker.flush()
    assert server.execute("KEYS", "qtasks:v*") == []


@pytest.mark.parametrize(
    "damage",
    [
        ("SET", "text"),
        ("RPUSH", "no header", "value"),
        ("RPUSH", "", "value"),
        ("HSET", "a", "1"),
    ],
)
async def test_damaged_values_are_none(
    broker: RedisBroker, server: Server, damage: tuple[str, ...]
) -> None:
    run = await started(broker)
    command, *rest = damage
    server.execute(command, f"qtasks:v:{run.id}", *rest)
    assert await broker.storage.read_stream(run.id, 0, 0, 0) == Streamed()
    await broker.storage.append_stream([gave(run, 3, b"d")])
    found = await broker.storage.read_stream(run.id, 0, 0, 0)
    assert found == Streamed(run.token, 3, (b"d",))


# Clusters


async def test_the_slot_of_a_task_is_remembered(
    valkey_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = RedisBroker(valkey_cluster.urls[0])
    await broker.start()
    runs = [await started(broker, f"id-{queue}", queue) for queue in ("a", "b", "c")]
    await broker.storage.append_stream([gave(run, 0, run.id.encode()) for run in runs])
    shards: list[str] = []
    call = Engine.run

    async def counted(engine: Engine, script: str, shard: str, *args: Any, **blobs: Any) -> Any:
        shards.append(shard)
        return await call(engine, script, shard, *args, **blobs)

    for run in runs:
        found = await broker.storage.read_stream(run.id, 0, 0, 0)
        assert found.values == (run.id.encode(),)
    monkeypatch.setattr(Engine, "run", counted)
    for run in runs:
        await broker.storage.read_stream(run.id, 0, 0, 0)
    assert shards == ["qtasks:{a}:", "qtasks:{b}:", "qtasks:{c}:"]
    # Forgotten there, it is looked for everywhere.
    await broker.flush()
    again = await started(broker, runs[0].id, "c")
    await broker.storage.append_stream([gave(again, 0, b"moved")])
    assert (await broker.storage.read_stream(again.id, 0, 0, 0)).values == (b"moved",)
    await broker.stop()
