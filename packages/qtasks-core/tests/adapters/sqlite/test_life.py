"""Starting and stopping: in any order, in any loop, and without a trace."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.sqlite import SqliteBroker, SqliteStorage
from qtasks.adapters.sqlite.wake import Ringer, directory_for
from qtasks.schemas import Retention

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks.schemas import Message


#: Threads of apps that other tests of this process have left to the garbage collector.
OTHERS: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def _count_from_here() -> None:
    OTHERS.clear()
    OTHERS.update(threading.enumerate())


def threads() -> list[str]:
    mine = [one for one in threading.enumerate() if one not in OTHERS]
    return sorted(one.name for one in mine if "qtasks-sqlite" in one.name)


def descriptors(path: Path) -> list[str]:
    """Lists what this process has open in a directory, and its sockets."""
    found = []
    for one in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(one.readlink()))
        except OSError:
            continue
    return sorted(one for one in found if str(path.parent) in one or one.startswith("socket:"))


def test_nothing_is_left_open_or_running(
    url: str, path: Path, message: Callable[..., Message], run: Callable[..., Any]
) -> None:
    async def live(broker: SqliteBroker) -> None:
        for _ in range(2):
            await broker.start()
            await broker.start()
            await broker.publish([message()])
            await broker.storage.get(["x"])
            await broker.ready(["q"], 1.0)
            await broker.ready(["other"], 0.01)
            await broker.stop()
            await broker.stop()

    loop = asyncio.new_event_loop()
    before = descriptors(path)
    broker = SqliteBroker(url)
    loop.run_until_complete(broker.stop())
    loop.run_until_complete(live(broker))
    assert threads() == []
    assert descriptors(path) == before
    twin = broker.client()
    run(twin.stop())
    for _ in range(2):
        run(twin.start())
        run(twin.publish([message()]))
        run(twin.ready(["other"], 0.01))
        run(twin.stop())
    assert descriptors(path) == before
    assert [one.name for one in path.parent.iterdir()] == ["queue.db"]
    loop.close()


def test_one_object_lives_in_several_loops(
    url: str, message: Callable[..., Message], request_for: Callable[..., Any]
) -> None:
    broker = SqliteBroker(url)

    async def publish() -> None:
        await broker.publish([message()])
        assert await broker.ready(["q"], 10.0)

    asyncio.run(broker.start())
    for _ in range(3):
        asyncio.run(publish())
    assert len(asyncio.run(broker.claim(request_for()))) == 3
    asyncio.run(broker.stop())
    asyncio.run(broker.start())
    assert asyncio.run(broker.queues()) == ["q"]
    asyncio.run(broker.stop())


def test_a_loop_that_ends_in_the_middle_of_a_wait(
    url: str, message: Callable[..., Message]
) -> None:
    broker = SqliteBroker(url)

    async def begin() -> None:
        await broker.start()
        task = asyncio.ensure_future(broker.ready(["q"], 1e6))
        await asyncio.sleep(0)
        assert not task.done()

    asyncio.run(begin())
    asyncio.run(broker.publish([message()]))
    asyncio.run(broker.stop())
    assert threads() == []


async def test_the_storage_may_outlive_its_broker(
    url: str, message: Callable[..., Message]
) -> None:
    broker = SqliteBroker(url)
    storage = broker.storage
    assert storage is broker.storage
    await storage.start()
    await broker.start()
    await broker.publish([one := message()])
    await broker.stop()
    (record,) = await storage.get([one.id])
    assert record is not None
    await storage.stop()


async def test_retention_is_shared_and_inherited(url: str) -> None:
    broker = SqliteBroker(url)
    broker.retention = Retention(1.0, 2.0)
    assert broker.storage.retention == Retention(1.0, 2.0)
    broker.storage.retention = Retention(3.0, 4.0)
    assert broker.retention == Retention(3.0, 4.0)
    twins = (broker.client(), broker.storage.client(), broker.client().storage)
    assert [twin.retention for twin in twins] == [Retention(3.0, 4.0)] * 3
    assert [twin.url for twin in twins] == [url] * 3
    assert isinstance(twins[1], SqliteStorage)


def test_twins_are_connections_of_their_own(
    url: str, message: Callable[..., Message], run: Callable[..., Any]
) -> None:
    broker = SqliteBroker(url)
    first, second = broker.client(), broker.storage.client()
    run(first.start())
    run(second.start())
    run(first.publish([one := message()]))
    run(first.stop())
    assert run(second.get([one.id]))[0] is not None
    run(second.stop())


def test_an_object_that_was_never_stopped_is_closed_at_exit(
    url: str, path: Path, program: Callable[..., Any]
) -> None:
    script = """
import sys
from qtasks.adapters.sqlite import SqliteBroker
from qtasks.schemas import Message
twin = SqliteBroker(sys.argv[1]).client()
for coroutine in (twin.start(), twin.publish([Message("a", "t", "q", b"")])):
    try:
        coroutine.send(None)
    except StopIteration:
        pass
"""
    one = program(script, url)
    assert one.end() == 0
    assert [found.name for found in path.parent.iterdir()] == ["queue.db"]


def test_an_object_that_was_forgotten_is_closed(
    url: str, path: Path, message: Callable[..., Message], run: Callable[..., Any]
) -> None:
    twin = SqliteBroker(url).client()
    run(twin.start())
    run(twin.publish([message()]))
    del twin
    gc.collect()
    assert [one.name for one in path.parent.iterdir()] == ["queue.db"]


async def test_a_failed_start_can_be_tried_again(tmp_path: Path) -> None:
    broker = SqliteBroker(f"sqlite:///{tmp_path}/later/queue.db")
    with pytest.raises(ValueError, match="mkdir"):
        await broker.start()
    await asyncio.to_thread((tmp_path / "later").mkdir)
    await broker.start()
    assert await broker.queues() == []
    await broker.stop()
    assert threads() == []


def test_who_rings_once_more_after_the_end_leaves_no_socket(path: Path) -> None:
    """A warning of Python's about an open socket would fail the test."""
    directory = directory_for(str(path))
    directory.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(directory / "other-1"))
        ringer = Ringer(str(path))
        for _ in range(2):
            ringer.ring(1)
            ringer.close()
        ringer.ring(2)
        del ringer
        gc.collect()

        assert [ear.recv(1) for _ in range(3)] == [b"\x01", b"\x01", b"\x02"]
