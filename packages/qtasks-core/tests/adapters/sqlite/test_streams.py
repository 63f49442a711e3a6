"""Values of running tasks: many, in other processes, and gone when their time is over."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import Future
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.sqlite import records, schema, streams, wake
from qtasks.adapters.sqlite.database import Database
from qtasks.adapters.sqlite.lookout import Deadline, Lookout
from qtasks.adapters.sqlite.url import parse_url
from qtasks.adapters.sqlite.wake import ENDED, POKE, READY, STREAMED, Bell
from qtasks.adapters.sqlite.watch import Watch, _Waiter
from qtasks.schemas import Chunk, Claim, Settlement, Streamed, Success

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qtasks.adapters.sqlite import SqliteBroker
    from qtasks.schemas import Delivery, Message
    from qtasks.testing.clock import FakeClock

    Make = Callable[..., Message]
    Run = Callable[..., Any]

#: Seconds; other processes go by the real time.
FOREVER = 1e11

#: Reads all values of a task until it has ended, and says each of them.
READER = """
import sys
from qtasks.adapters.sqlite import SqliteBroker

def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value

url, task = sys.argv[1:]
storage = SqliteBroker(url).client().storage
run(storage.start())
token, after, ended = 0, 0, False
print("ready", flush=True)
while not ended:
    found = run(storage.read_stream(task, token, after, 1e6))
    token, after, ended = found.token, found.first + len(found.values), found.ended
    for value in found.values:
        print(value.decode(), flush=True)
run(storage.stop())
"""


@pytest.fixture
def delivery(twin: SqliteBroker, message: Make, run: Run) -> Delivery:
    """A task that runs."""
    run(twin.publish([message()]))
    found: Delivery = run(twin.claim(Claim(("q",), 1, FOREVER, "w1")))[0]
    return found


def gave(delivery: Delivery, first: int, *values: bytes, ttl: float = FOREVER) -> Chunk:
    return Chunk(delivery.id, delivery.token, first, values, ttl)


def counts(path: Path) -> tuple[int, int]:
    """Returns how many runs and values the file has."""
    with closing(sqlite3.connect(path)) as conn:
        ((runs,),) = conn.execute("SELECT count(*) FROM stream")
        ((values,),) = conn.execute("SELECT count(*) FROM streamed")
    return runs, values


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


def test_a_reader_in_another_process_is_woken(
    twin: SqliteBroker, delivery: Delivery, url: str, run: Run, program: Callable[..., Any]
) -> None:
    readers = [program(READER, url, delivery.id) for _ in range(2)]
    assert [one.hear() for one in readers] == ["ready"] * 2
    for number in range(20):
        run(twin.storage.append_stream([gave(delivery, number, b"%d" % number)]))
        assert [one.hear() for one in readers] == [str(number)] * 2
    run(twin.settle([Settlement(delivery.id, delivery.token, Success())]))
    assert [one.rest() for one in readers] == [""] * 2
    assert [one.end() for one in readers] == [0] * 2


async def test_a_reader_is_woken_where_no_bell_rings(
    broker: SqliteBroker,
    twin: SqliteBroker,
    delivery: Delivery,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ring = Bell.ring
    monkeypatch.setattr(wake, "_listen", lambda _: None)
    monkeypatch.setattr(Bell, "ring", lambda self, what: ring(self, what & POKE))
    waiting = asyncio.ensure_future(broker.storage.read_stream(delivery.id, 0, 0, FOREVER))
    while not broker._engine._watch._waiting:
        assert not waiting.done(), waiting
        await asyncio.sleep(0)
    run(twin.storage.append_stream([gave(delivery, 0, b"a")]))
    assert await asyncio.wait_for(waiting, 30) == Streamed(delivery.token, 0, (b"a",))


async def test_a_bell_of_its_own_rings(
    broker: SqliteBroker,
    twin: SqliteBroker,
    delivery: Delivery,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where nobody can see commits, readers are woken, and who waits for an end is not."""
    monkeypatch.setattr(Database, "version", lambda _: 1)
    looks: list[object] = []
    ended = records.ended

    def counted(conn: Any, now: float, ids: Any) -> Any:
        looks.append(ids)
        return ended(conn, now, ids)

    monkeypatch.setattr(records, "ended", counted)
    waiting = asyncio.ensure_future(broker.storage.wait([delivery.id], FOREVER))
    while not looks:
        await asyncio.sleep(0)
    for number in range(20):
        reading = broker.storage.read_stream(delivery.id, delivery.token, number, FOREVER)
        reader = asyncio.ensure_future(reading)
        while len(broker._engine._watch._waiting) < 2:
            await asyncio.sleep(0)
        run(twin.storage.append_stream([gave(delivery, number, b"v")]))
        assert (await asyncio.wait_for(reader, 30)).values == (b"v",)
    assert len(looks) == 1
    run(twin.settle([Settlement(delivery.id, delivery.token, Success(), ttl=FOREVER)]))
    assert set(await asyncio.wait_for(waiting, 30)) == {delivery.id}


@pytest.mark.parametrize(
    ("kinds", "heard", "armed"),
    [
        ("reader", STREAMED, True),
        ("reader", ENDED, True),
        ("reader end", ENDED, True),
        ("reader end", STREAMED, False),
        ("reader work", STREAMED | ENDED, False),
        ("reader work", STREAMED | READY, True),
    ],
)
def test_commits_count_as_seen_once_all_have_looked(
    twin: SqliteBroker, delivery: Delivery, kinds: str, heard: int, armed: bool
) -> None:
    watching = Watch(twin._engine._database)
    lookout = Lookout(twin._engine._database)
    waits: dict[str, Any] = {
        "reader": {"reader": streams.Reader(delivery.id, 0, 0, 1)},
        "end": {"ids": (delivery.id,)},
        "work": {"queues": ("q",)},
    }
    deadline = Deadline(twin._engine._clock, FOREVER)
    watching._waiting = [_Waiter(Future(), deadline, **waits[kind]) for kind in kinds.split()]
    watching._round(lookout, heard, None)
    assert (lookout._version is not None) is armed
    lookout.close()


async def test_many_values_are_read_whole_by_many(
    broker: SqliteBroker, twin: SqliteBroker, delivery: Delivery, run: Run
) -> None:
    """Readers that began before, meanwhile and after see the same."""
    values = [b"value %d" % number for number in range(10_000)]
    readers = [
        asyncio.ensure_future(read_all(broker.storage, delivery.id, limit))
        for limit in (1, 7, 1000)
    ]
    for first in range(0, len(values), 100):
        chunk = gave(delivery, first, *values[first : first + 100])
        await broker.storage.append_stream([chunk])
        if first == 5000:
            readers.append(asyncio.ensure_future(read_all(broker.storage, delivery.id, 300)))
    await broker.settle([Settlement(delivery.id, delivery.token, Success(), ttl=FOREVER)])
    readers.append(asyncio.ensure_future(read_all(broker.storage, delivery.id, 1000)))
    for reader in readers:
        assert await asyncio.wait_for(reader, 60) == values


async def test_a_crowd_of_readers_asks_once(
    broker: SqliteBroker, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    news = streams.news

    def counted(conn: Any, now: float, readers: Any) -> Any:
        looks.append(len(readers))
        return news(conn, now, readers)

    crowd = [
        asyncio.ensure_future(broker.storage.read_stream(delivery.id, 0, 0, FOREVER))
        for _ in range(200)
    ]
    while len(broker._engine._watch._waiting) < 200:
        await asyncio.sleep(0)
    monkeypatch.setattr(streams, "news", counted)
    await broker.storage.append_stream([gave(delivery, 0, b"a")])
    found = await asyncio.wait_for(asyncio.gather(*crowd), 30)
    assert set(found) == {Streamed(delivery.token, 0, (b"a",))}
    assert set(looks) == {1}


def test_large_values_come_in_several_answers(
    twin: SqliteBroker, delivery: Delivery, run: Run
) -> None:
    values = [bytes([number]) * 3_000_000 for number in range(4)]
    run(twin.storage.append_stream([gave(delivery, 0, *values, bytes(20_000_000))]))
    sizes = []
    after = 0
    while found := run(twin.storage.read_stream(delivery.id, delivery.token, after, 0)).values:
        sizes.append([len(value) for value in found])
        after += len(found)
    assert sizes == [[3_000_000] * 2, [3_000_000] * 2, [20_000_000]]


def test_what_is_over_is_removed_in_steps(
    twin: SqliteBroker, delivery: Delivery, clock: FakeClock, path: Path, run: Run
) -> None:
    run(twin.storage.append_stream([gave(delivery, 0, *(b"v",) * 25_000, ttl=5.0)]))
    clock.advance(6)
    assert run(twin.storage.read_stream(delivery.id, 0, 0, 0)) == Streamed()
    left = []
    while run(twin.sweep()).more:
        left.append(counts(path))
    assert left == [(1, 15_000), (1, 5_000)]
    assert counts(path) == (0, 0)


def test_a_sweep_that_leaves_values_says_so(
    twin: SqliteBroker, clock: FakeClock, message: Make, path: Path, run: Run
) -> None:
    run(twin.publish([message() for _ in range(25)]))
    deliveries = run(twin.claim(Claim(("q",), 25, FOREVER, "w1")))
    run(twin.storage.append_stream([gave(one, 0, b"v", ttl=5.0) for one in deliveries]))
    clock.advance(6)
    left = []
    while run(twin.sweep(10)).more:
        left.append(counts(path))
    assert left == [(15, 15), (5, 5)]
    assert counts(path) == (0, 0)


def test_what_was_over_does_not_come_back(
    twin: SqliteBroker, delivery: Delivery, clock: FakeClock, path: Path, run: Run
) -> None:
    """Whether it has been swept away or not, a late chunk begins anew."""
    run(twin.storage.append_stream([gave(delivery, 0, b"a", b"b", ttl=5.0)]))
    clock.advance(6)
    run(twin.storage.append_stream([gave(delivery, 2, b"c")]))
    found = run(twin.storage.read_stream(delivery.id, 0, 0, 0))
    assert found == Streamed(delivery.token, 2, (b"c",))
    assert counts(path) == (2, 3)
    assert not run(twin.sweep()).more
    assert counts(path) == (1, 1)


def test_a_file_of_an_earlier_release_can_keep_values(
    path: Path, url: str, clock: FakeClock
) -> None:
    before = Database(parse_url(url), clock, lambda _: None, schema.MIGRATIONS[:2])
    before.open()
    before.close()
    now = Database(parse_url(url), clock, lambda _: None)
    now.open()
    now.close()
    assert counts(path) == (0, 0)
