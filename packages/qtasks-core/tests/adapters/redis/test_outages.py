"""A worker on a real server that is killed, cut off, full, busy, or forgets everything."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.redis import RedisBroker
from qtasks.adapters.redis.scripts import load
from qtasks.asyncio import QueueTasks
from qtasks.configs import QueueConfig
from qtasks.exc import ServerUnavailableError
from qtasks.testing.conformance.base import complete

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers.process import Server
    from servers.programs import Program
    from servers.proxy import Proxy

#: Seconds after which a test gives up on what should have happened.
PATIENCE = 60.0


class Work:
    """An app with a task that counts its runs, and one that runs until it may end.

    Attributes:
        runs: the numbers of the tasks that ran, in order.
        started: set when the long task runs.
        gate: lets it end.
    """

    def __init__(self, url: str, **config: Any) -> None:
        settings = {"lease": 30.0, "max_tasks_process": 8, "prefetch": 0} | config
        self.app = QueueTasks(broker_url=url, config=QueueConfig(**settings))
        self.runs: list[int] = []
        self.started, self.gate = asyncio.Event(), asyncio.Event()

        @self.app.task
        async def count(n: int) -> int:
            self.runs.append(n)
            return n

        @self.app.task
        async def long() -> str:
            self.runs.append(-1)
            self.started.set()
            await self.gate.wait()
            return "done"

        self.count, self.long = count, long

    async def add(self, *numbers: int) -> list[Any]:
        """Adds a task for each number."""
        return await self.app.add_tasks([self.count.build(n) for n in numbers])

    async def ended(self, handles: list[Any]) -> list[Any]:
        """Waits for tasks and returns their results."""
        return [await handle.result(timeout=PATIENCE) for handle in handles]

    async def deliveries(self, handles: list[Any]) -> list[tuple[int, int]]:
        """Returns how often tasks were handed out, and how often they were lost in a row."""
        storage = self.app.broker.storage
        assert storage is not None
        records = await storage.get([handle.id for handle in handles])
        return [(record.deliveries, record.lost) for record in records if record is not None]


@pytest.fixture
async def make_work() -> Any:
    """Makes apps, and closes them."""
    made: list[Work] = []

    def make(url: str, **config: Any) -> Work:
        made.append(Work(url, **config))
        return made[-1]

    yield make
    for work in made:
        await work.app.close()


async def test_a_killed_server_costs_nothing(
    redis_program: Program,
    make_server: Callable[..., Server],
    make_work: Callable[..., Work],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What runs goes on and ends; its outcome is sent later; what waits runs then, once."""
    caplog.set_level(logging.INFO, "qtasks.worker")
    server = make_server(redis_program, durable=True)
    work = make_work(server.url)
    async with work.app.worker():
        handle = await work.long.add_task()
        await work.started.wait()
        waiting = asyncio.create_task(handle.result(timeout=PATIENCE))
        await until(lambda: server.execute("HGET", f"qtasks:t:{handle.id}", "wt"))
        await asyncio.to_thread(server.kill)
        work.gate.set()
        with pytest.raises(ServerUnavailableError):
            await work.add(0)
        await asyncio.to_thread(server.start)
        assert await waiting == "done"
        assert await work.ended(await work.add(1, 2, 3)) == [1, 2, 3]
        assert await work.deliveries([handle]) == [(1, 0)]
    assert work.runs == [-1, 1, 2, 3]
    said = [r.message for r in caplog.records if "broker is" in r.message]
    assert len(said) == 2
    assert said[0].startswith("The broker is away, its work waits: Redis at 127.0.0.1:")
    assert said[1].startswith("The broker is back after ")


async def test_many_restarts_lose_and_double_nothing(
    make_server: Callable[..., Server], make_work: Callable[..., Work]
) -> None:
    """Only what was handed out by a reply that nobody got may come twice, and here nothing did."""
    server = make_server(durable=True)
    work = make_work(server.url)
    handles = await work.add(*range(200))
    async with work.app.worker():
        for round_ in range(3):
            await asyncio.to_thread(server.restart)
            handles += await patiently(work, 200 + round_)
        assert sorted(await work.ended(handles)) == list(range(203))
    assert sorted(work.runs) == list(range(203))


async def until(condition: Callable[[], object]) -> None:
    """Waits for what another process brings about; the loop goes on meanwhile."""
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


async def patiently(work: Work, number: int) -> list[Any]:
    """Adds a task as soon as the server takes it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await work.add(number)
            except ServerUnavailableError:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("lost", ["request", "reply"])
@pytest.mark.parametrize("call", ["claim", "settle", "add", "BLPOP", "extend", "sweep", "report"])
async def test_a_connection_may_break_at_any_call(
    call: str,
    lost: str,
    make_server: Callable[..., Server],
    make_proxy: Callable[..., Proxy],
    make_work: Callable[..., Work],
) -> None:
    """Before the server has the request, or after it was carried out: every task runs once."""
    proxy = make_proxy(make_server())
    work = make_work(proxy.url, lease=0.6)
    cut = proxy.lose_request if lost == "request" else proxy.lose_reply
    words = call if call.isupper() else load(call).sha
    async with work.app.worker():
        long = await work.long.add_task()
        await work.started.wait()
        cut(words.encode())
        handles = []
        for n in range(20):
            handles += await patiently(work, n)
        assert sorted(await work.ended(handles)) == list(range(20))
        await until(lambda: proxy.cuts)
        work.gate.set()
        assert await long.result(timeout=PATIENCE) == "done"
        assert set(await work.deliveries(handles)) == {(1, 0)}
    assert sorted(work.runs) == list(range(-1, 20))


@pytest.mark.parametrize("call", ["claim", "exchange"])
async def test_every_reply_to_a_worker_may_be_lost(
    call: str,
    make_server: Callable[..., Server],
    make_proxy: Callable[..., Proxy],
    make_work: Callable[..., Work],
) -> None:
    """The next claim gets the tasks of the last one; settling again changes nothing."""
    proxy = make_proxy(make_server())
    work = make_work(proxy.url)
    handles = await work.add(*range(100))
    proxy.lose_reply(load(call).sha.encode(), times=5)
    async with work.app.worker():
        assert await work.ended(handles) == list(range(100))
        assert set(await work.deliveries(handles)) == {(1, 0)}
    assert proxy.cuts == 5
    assert work.runs == list(range(100))


async def test_a_worker_whose_connections_are_all_cut_goes_on(
    make_server: Callable[..., Server], make_work: Callable[..., Work]
) -> None:
    server = make_server()
    work = make_work(server.url)
    async with work.app.worker():
        for n in range(5):
            server.execute("CLIENT", "KILL", "TYPE", "normal")
            assert await work.ended(await patiently(work, n)) == [n]
    assert work.runs == [0, 1, 2, 3, 4]


async def test_a_server_that_forgot_its_scripts_gets_them_again(
    make_server: Callable[..., Server], make_work: Callable[..., Work]
) -> None:
    server = make_server()
    work = make_work(server.url)
    async with work.app.worker():
        for n in range(3):
            server.execute("SCRIPT", "FLUSH")
            assert await work.ended(await work.add(n)) == [n]


async def test_a_server_that_was_emptied_is_used_as_a_new_one(
    make_server: Callable[..., Server], make_work: Callable[..., Work]
) -> None:
    """The run whose task is gone is refused; the worker takes what comes."""
    server = make_server()
    work = make_work(server.url)
    async with work.app.worker():
        await work.long.add_task()
        await work.started.wait()
        server.execute("FLUSHALL")
        work.gate.set()
        assert await work.ended(await work.add(1)) == [1]
    assert work.runs == [-1, 1]


async def test_a_paused_server_is_waited_for(
    make_server: Callable[..., Server],
    make_work: Callable[..., Work],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is closed, and nothing is answered: silence has an end."""
    monkeypatch.setattr("qtasks.adapters.redis.links._SILENCE", 0.2)
    monkeypatch.setattr("qtasks.adapters.redis.links.LONGEST_BLOCK", 0.2)
    monkeypatch.setattr("qtasks.adapters.redis.waiting.LONGEST_BLOCK", 0.2)
    server = make_server()
    work = make_work(server.url)
    async with work.app.worker():
        long = await work.long.add_task()
        await work.started.wait()
        server.pause()
        work.gate.set()
        with pytest.raises(ServerUnavailableError, match="does not answer in time"):
            await work.add(0)
        server.resume()
        assert await long.result(timeout=PATIENCE) == "done"
        assert await work.ended(await patiently(work, 1)) == [1]


async def test_a_black_hole_is_left(
    make_server: Callable[..., Server],
    make_proxy: Callable[..., Proxy],
    make_work: Callable[..., Work],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The old connections stay dead for ever; new ones are made."""
    monkeypatch.setattr("qtasks.adapters.redis.links._SILENCE", 0.2)
    monkeypatch.setattr("qtasks.adapters.redis.waiting.LONGEST_BLOCK", 0.2)
    proxy = make_proxy(make_server())
    work = make_work(proxy.url)
    async with work.app.worker():
        assert await work.ended(await work.add(1)) == [1]
        proxy.blackhole()
        with pytest.raises(ServerUnavailableError, match="does not answer in time"):
            await work.add(2)
        proxy.cut()
        proxy.heal()
        assert await work.ended(await patiently(work, 3)) == [3]


async def test_a_server_that_still_loads_is_waited_for(
    redis_program: Program, make_server: Callable[..., Server], make_work: Callable[..., Work]
) -> None:
    server = make_server(
        redis_program,
        save="3600 1",
        key_load_delay=2000,  # microseconds
        rdbcompression="no",
    )
    for n in range(100):  # a server that loads looks up from time to time: every two megabytes
        server.execute("SET", f"filler:{n}", "x" * 100_000)
    work = make_work(server.url)
    handles = await work.add(*range(200))
    late = RedisBroker(server.url)
    async with work.app.worker():
        await asyncio.to_thread(server.stop)
        starting = asyncio.create_task(asyncio.to_thread(server.start))
        said = ""
        while "still loading its data" not in said:
            assert not starting.done()
            try:
                await late.start()
            except ServerUnavailableError as error:
                said = str(error)
            finally:
                await late.stop()
            await asyncio.sleep(0)
        await starting
        assert await work.ended(handles) == list(range(200))
        assert await work.ended(await patiently(work, 200)) == [200]
    assert sorted(work.runs) == list(range(201))


async def test_a_slow_wire_costs_nothing_but_time(
    make_server: Callable[..., Server],
    make_proxy: Callable[..., Proxy],
    make_work: Callable[..., Work],
) -> None:
    """Every request is late; renewals get through, and no lease is lost."""
    proxy = make_proxy(make_server())
    work = make_work(proxy.url, lease=1.5)
    proxy.delay(0.1)
    handles = await work.add(*range(30))
    async with work.app.worker():
        long = await work.long.add_task()
        assert await work.ended(handles) == list(range(30))
        work.gate.set()
        assert await long.result(timeout=PATIENCE) == "done"
        assert set(await work.deliveries([*handles, long])) == {(1, 0)}
    assert sorted(work.runs) == list(range(-1, 30))


class Trouble:
    """Something that keeps a server from serving, and how it ends."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def begin(self) -> None:
        """Begins."""
        raise NotImplementedError

    async def end(self) -> None:
        """Ends."""
        raise NotImplementedError


class Busy(Trouble):
    """A script that does not end."""

    says = "a script runs on it for too long"

    async def begin(self) -> None:
        self.server.config(lua_time_limit=1)
        self.client = asyncio.create_task(asyncio.to_thread(self._hang))
        await until(self._is_busy)

    async def end(self) -> None:
        await asyncio.to_thread(self.server.execute, "SCRIPT", "KILL")
        await asyncio.gather(self.client, return_exceptions=True)

    def _hang(self) -> None:
        self.server.execute("EVAL", "while true do end", 0)

    def _is_busy(self) -> bool:
        try:
            self.server.execute("GET", "x")
        except Exception as error:  # noqa: BLE001 - the driver has no class for it
            return "BUSY" in str(error)
        return False


class Demoted(Trouble):
    """A master that became a replica of nobody who is there."""

    says = "it is a replica"

    async def begin(self) -> None:
        self.server.execute("REPLICAOF", "127.0.0.1", "1")

    async def end(self) -> None:
        self.server.execute("REPLICAOF", "NO", "ONE")


class Full(Trouble):
    """Memory that is used up."""

    says = "its memory is full"

    async def begin(self) -> None:
        self.server.config(maxmemory_policy="noeviction", maxmemory=1)

    async def end(self) -> None:
        self.server.config(maxmemory=0)


class Unsaved(Trouble):
    """A disk that takes no snapshot."""

    says = "it cannot save its data to disk"

    async def begin(self) -> None:
        (self.server.folder / "dump.rdb").mkdir()
        self.server.config(save="3600 1")
        self.server.execute("BGSAVE")
        await until(lambda: self._status() != "ok")

    async def end(self) -> None:
        self.server.config(save="")

    def _status(self) -> object:
        return self.server.execute("INFO", "persistence")["rdb_last_bgsave_status"]


class Lonely(Trouble):
    """A master that wants replicas before it takes writes."""

    says = "too few replicas"

    async def begin(self) -> None:
        self.server.config(min_replicas_to_write=1)

    async def end(self) -> None:
        self.server.config(min_replicas_to_write=0)


@pytest.mark.parametrize("kind", [Busy, Demoted, Full, Unsaved, Lonely])
async def test_trouble_at_the_server_passes(
    kind: type[Any],
    redis_program: Program,
    make_server: Callable[..., Server],
    make_work: Callable[..., Work],
) -> None:
    """Adding is refused with a reason; what runs goes on; all is well when it is over."""
    server = make_server(redis_program)
    work = make_work(server.url)
    trouble = kind(server)
    async with work.app.worker():
        long = await work.long.add_task()
        await work.started.wait()
        await trouble.begin()
        try:
            with pytest.raises(ServerUnavailableError, match=trouble.says):
                await work.add(0)
            work.gate.set()
        finally:
            await trouble.end()
        assert await long.result(timeout=PATIENCE) == "done"
        assert await work.ended(await work.add(1, 2)) == [1, 2]
        assert await work.deliveries([long]) == [(1, 0)]
    assert work.runs == [-1, 1, 2]


async def test_a_full_server_can_be_emptied(
    redis_program: Program, make_server: Callable[..., Server], make_work: Callable[..., Work]
) -> None:
    """Nothing can be added, but leases are kept, and what is there runs, is settled and counted."""
    server = make_server(redis_program)
    work = make_work(server.url, lease=0.6)
    handles = await work.add(*range(50))
    await Full(server).begin()
    async with work.app.worker():
        assert await work.ended(handles) == list(range(50))
        assert len(await work.app.workers()) == 1
        with pytest.raises(ServerUnavailableError, match="its memory is full"):
            await work.add(50)
    assert set(await work.deliveries(handles)) == {(1, 0)}


async def test_a_server_that_was_met_is_not_asked_whether_it_speaks_tls(
    make_server: Callable[..., Server],
) -> None:
    """It is away, whatever a broken connection may mean where nobody has been before."""
    server = make_server()
    broker = RedisBroker(server.url)
    await broker.start()
    twin = broker.client()
    await broker.stop()
    server.stop()
    met = 0

    def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal met
        met += 1
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", server.port):
        with pytest.raises(ServerUnavailableError, match="cannot be reached"):
            await asyncio.to_thread(lambda: complete(twin.start()))

    assert met == 1
