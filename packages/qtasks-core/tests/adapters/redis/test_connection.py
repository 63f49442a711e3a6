"""The connection of a loop: many ask at once, and each gets his own answer, or an error."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import redis
import redis.asyncio
from redis import exceptions

from qtasks.adapters.redis.connection import Connection, open_connection
from qtasks.adapters.redis.resp import pack
from qtasks.adapters.redis.wires import LoopWires, SharedWire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from redis.asyncio import ConnectionPool

#: Seconds without an answer; none of the tests but one lets them pass.
SILENCE = 60.0


@pytest.fixture
async def pool(valkey: str) -> AsyncIterator[ConnectionPool]:
    client = redis.asyncio.Redis.from_url(valkey, protocol=2)
    yield client.connection_pool
    await client.aclose()


@pytest.fixture
async def connection(pool: ConnectionPool) -> AsyncIterator[Connection]:
    connection = await open_connection(pool, SILENCE)
    yield connection
    await connection.close()


@pytest.fixture
def other(valkey: str) -> Iterator[redis.Redis]:
    """Another client, which blocks the loop."""
    with redis.Redis.from_url(valkey) as other:
        yield other


def kill(other: redis.Redis) -> None:
    """Has the server close all connections but this one."""
    other.client_kill_filter(_type="normal", skipme=True)


async def test_answers_come_in_the_order_of_the_commands(connection: Connection) -> None:
    answers = [connection.ask(pack(("ECHO", str(number)))) for number in range(100)]

    assert await asyncio.gather(*answers) == [b"%d" % number for number in range(100)]


async def test_an_answer_that_nobody_waits_for_is_thrown_away(connection: Connection) -> None:
    first, second, third = (connection.ask(pack(("ECHO", word))) for word in "abc")
    second.cancel()

    assert (await first, await third) == (b"a", b"c")


async def test_an_error_is_the_answer_of_one(connection: Connection) -> None:
    wrong, right = connection.ask(pack(("NONSENSE",))), connection.ask(pack(("ECHO", "b")))

    with pytest.raises(exceptions.ResponseError, match="unknown command"):
        await wrong
    assert await right == b"b"
    assert connection.usable


async def test_who_waits_when_the_server_closes_gets_an_error(
    connection: Connection, other: redis.Redis
) -> None:
    waiting = [connection.ask(pack(("BLPOP", "nothing", "0"))), connection.ask(pack(("PING",)))]
    while not other.info("clients")["blocked_clients"]:
        await asyncio.sleep(0)
    kill(other)

    failed = await asyncio.gather(*waiting, return_exceptions=True)

    assert [str(error) for error in failed] == ["Connection closed by server."] * 2
    assert all(isinstance(error, exceptions.ConnectionError) for error in failed)
    assert failed[0] is not failed[1]
    assert not connection.usable


async def test_a_closed_one_is_noticed_before_a_command_is_lost_in_it(
    connection: Connection, other: redis.Redis
) -> None:
    assert connection.usable

    kill(other)  # and the loop had no chance to see it

    assert not connection.usable


async def test_a_silent_server_counts_as_dead(pool: ConnectionPool) -> None:
    connection = await open_connection(pool, 0.05)

    with pytest.raises(exceptions.TimeoutError, match=r"no answer within 0\.05 seconds"):
        await connection.ask(pack(("BLPOP", "nothing", "0")))

    assert not connection.usable
    await connection.close()


async def test_what_is_no_answer_ends_it(connection: Connection) -> None:
    waiting = connection.ask(pack(("BLPOP", "nothing", "0")))

    connection.data_received(b"HTTP/1.1 400 Bad Request\r\n")

    with pytest.raises(exceptions.InvalidResponse):
        await waiting
    assert not connection.usable


async def test_what_nobody_asked_ends_it(connection: Connection) -> None:
    connection.data_received(b"+OK\r\n")

    assert not connection.usable


async def test_those_who_come_together_share_one(pool: ConnectionPool, other: redis.Redis) -> None:
    before = len(other.client_list())
    shared = SharedWire(pool, SILENCE)

    answers = await asyncio.gather(*(shared.call("ECHO", str(n)) for n in range(50)))

    assert answers == [b"%d" % n for n in range(50)]
    assert len(other.client_list()) == before + 1
    await shared.close()


async def test_after_a_loss_the_next_call_connects_anew(
    pool: ConnectionPool, other: redis.Redis
) -> None:
    shared = SharedWire(pool, SILENCE)
    await shared.call("PING")
    kill(other)

    assert await shared.call("PING") == b"PONG"
    await shared.close()


@asynccontextmanager
async def mute() -> AsyncIterator[Mute]:
    """A server that accepts connections and says nothing."""
    server = Mute()
    listener = await asyncio.start_server(server.accept, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    server.client = redis.asyncio.Redis(host="127.0.0.1", port=port, protocol=2)
    yield server
    listener.close()
    await server.client.aclose()
    while server.open:
        await asyncio.sleep(0.01)


class Mute:
    """See `mute`.

    Attributes:
        client: a client of it, which has not connected.
        accepted: how many connections there were.
        open: how many there are.
    """

    client: redis.asyncio.Redis

    def __init__(self) -> None:
        self.accepted = self.open = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open += 1
        with suppress(OSError):
            while await reader.read(1000):
                pass
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        self.open -= 1


async def test_who_waits_for_a_connection_that_fails_does_not_try_in_his_turn() -> None:
    """Each would wait for as long as all before him."""
    async with mute() as server:
        shared = SharedWire(server.client.connection_pool, 0.05)

        calls = (shared.call("PING") for _ in range(20))
        failed = await asyncio.gather(*calls, return_exceptions=True)

        assert {str(error) for error in failed} == {"no answer within 0.05 seconds"}
        assert len({id(error) for error in failed}) == 20
        assert server.accepted == 1
        with pytest.raises(exceptions.TimeoutError):
            await shared.call("PING")  # who comes later tries anew
        assert server.accepted == 2


async def test_a_cancelled_attempt_to_connect_is_made_by_the_next(pool: ConnectionPool) -> None:
    shared = SharedWire(pool, SILENCE)
    first, *others = [asyncio.create_task(shared.call("PING")) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()

    assert await asyncio.gather(*others) == [b"PONG"] * 2
    assert first.cancelled()
    await shared.close()


@pytest.mark.parametrize("kind", [SharedWire, LoopWires])
async def test_what_was_closed_while_it_connected_leaves_nothing_open(
    kind: type[SharedWire | LoopWires], pool: ConnectionPool, other: redis.Redis
) -> None:
    before = len(other.client_list())
    wires = kind(pool, SILENCE)
    late = asyncio.create_task(wires.call("PING"))
    await asyncio.sleep(0)

    await wires.close()

    with pytest.raises(exceptions.ConnectionError, match="closed here"):
        await late
    with pytest.raises(exceptions.ConnectionError, match="closed here"):
        await wires.call("PING")
    while len(other.client_list()) > before:
        await asyncio.sleep(0.01)
