"""How the ends of tasks reach those who wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.adapters.redis import RedisBroker
from qtasks.adapters.redis.notes import read_note
from qtasks.schemas import Claim, Message, Record, Settlement, Success
from qtasks.testing.conformance.base import complete

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from typing import Any, TypeAlias

    from servers.process import Server

    Wait: TypeAlias = Callable[[str, float], Coroutine[Any, Any, dict[str, Record | None]]]

VALUES = st.lists(st.binary(max_size=40), max_size=6)


def note_of(told: list[tuple[str, list[bytes]]]) -> bytes:
    """Writes a note as the server does."""
    head = msgspec.msgpack.encode([(id_, [len(value) for value in values]) for id_, values in told])
    bodies = b"".join(value for _, values in told for value in values)
    return len(head).to_bytes(4, "big") + head + bodies


@given(st.lists(st.tuples(st.text(max_size=40), VALUES), max_size=5))
def test_a_note_reads_back(told: list[tuple[str, list[bytes]]]) -> None:
    assert read_note(note_of(told)) == told


@given(st.binary(max_size=60))
def test_no_bytes_are_a_note_that_fails(note: bytes) -> None:
    read_note(note)


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    return make_server()


@pytest.fixture
async def broker(server: Server) -> AsyncIterator[RedisBroker]:
    """Goes by the server's own time, which never stands still."""
    broker = RedisBroker(server.url)
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture(params=["loop", "thread"])
def wait(request: pytest.FixtureRequest, broker: RedisBroker) -> Iterator[Wait]:
    """Waits for a task in the loop, or in a thread."""
    twin = broker.client()
    complete(twin.start())

    async def wait_in_loop(id_: str, timeout: float) -> dict[str, Record | None]:
        return await broker.storage.wait([id_], timeout)

    async def wait_in_thread(id_: str, timeout: float) -> dict[str, Record | None]:
        return await asyncio.to_thread(lambda: complete(twin.storage.wait([id_], timeout)))

    yield wait_in_loop if request.param == "loop" else wait_in_thread
    complete(twin.stop())


async def succeed(broker: RedisBroker, result: bytes) -> None:
    """Has the only task run and succeed."""
    (delivery,) = await broker.claim(Claim(("q",), 1, 60.0, "w"))
    await broker.settle([Settlement(delivery.id, delivery.token, Success(result))])


async def is_waited_for(server: Server, id_: str) -> None:
    while not server.execute("HGET", f"qtasks:t:{id_}", "wt"):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("size", [1, 5_000], ids=["in the note", "too long for it"])
async def test_a_waiter_gets_the_result(
    size: int, wait: Wait, broker: RedisBroker, server: Server
) -> None:
    result = bytes(range(256)) * (size // 256 + 1)
    await broker.publish([Message("id", "t", "q", b"p", headers={"a": "b"})])

    waiting = asyncio.create_task(wait("id", 60.0))
    await is_waited_for(server, "id")
    await succeed(broker, result)

    told = await waiting
    assert told == {"id": (await broker.storage.get(["id"]))[0]}
    assert told["id"] is not None
    assert told["id"].result == result


async def test_an_old_note_is_no_news_of_a_new_task(
    wait: Wait, broker: RedisBroker, server: Server
) -> None:
    """A note is left by a wait that gave up; then there is another task of that id."""
    await broker.publish([Message("id", "t", "q", b"p")])
    assert await wait("id", 0.001) == {}
    await succeed(broker, b"old")
    server.execute("UNLINK", "qtasks:t:id")
    await broker.publish([Message("id", "t", "q", b"p")])

    waiting = asyncio.create_task(wait("id", 60.0))
    await is_waited_for(server, "id")
    await succeed(broker, b"new")

    told = (await waiting)["id"]
    assert told is not None
    assert told.result == b"new"


async def test_a_record_that_others_wrote_into_a_note_is_left_alone(
    wait: Wait, broker: RedisBroker, server: Server
) -> None:
    """Fields without a value, and one that says nothing of its end."""
    await broker.publish([Message("id", "t", "q", b"p")])
    waiting = asyncio.create_task(wait("id", 60.0))
    await is_waited_for(server, "id")
    name = server.execute("HGET", "qtasks:t:id", "wt")

    with server.client() as client:
        for fields in ([b"s"], [b"s", b"d"], [b"f", b"\xff"]):
            client.rpush(f"qtasks:n:{name}", note_of([("id", fields)]))
    await succeed(broker, b"true")

    told = (await waiting)["id"]
    assert told is not None
    assert told.result == b"true"
