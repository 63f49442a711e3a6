"""Connecting: once, however many begin at the same time."""

from __future__ import annotations

import asyncio

import pytest

from qtasks._core.connection import Connection
from qtasks.adapters.memory import MemoryBroker
from qtasks.exc import ServerUnavailableError


class Slow(MemoryBroker):
    """A broker to which connecting takes a while, and may fail."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.failures = failures
        self.starts = 0
        self.gate = asyncio.Event()

    async def start(self) -> None:
        self.starts += 1
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            msg = "nobody listens"
            raise ServerUnavailableError(msg)
        await super().start()


async def test_of_many_that_begin_at_once_one_connects() -> None:
    connection = Connection(broker := Slow())
    opens = [asyncio.ensure_future(connection.open("client")) for _ in range(100)]
    await asyncio.sleep(0)

    broker.gate.set()

    assert sorted(await asyncio.gather(*opens)) == [False] * 99 + [True]
    assert broker.starts == 1


async def test_others_that_waited_get_the_error_too_and_the_next_tries_again() -> None:
    connection = Connection(broker := Slow(failures=1))
    opens = [asyncio.ensure_future(connection.open("client")) for _ in range(100)]
    await asyncio.sleep(0)

    broker.gate.set()
    answers = await asyncio.gather(*opens, return_exceptions=True)

    assert [type(answer) for answer in answers] == [ServerUnavailableError] * 100
    assert broker.starts == 1
    assert await connection.open("client")


async def test_another_one_connects_when_the_first_is_cancelled() -> None:
    connection = Connection(broker := Slow())
    first, second = (asyncio.ensure_future(connection.open("client")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first

    broker.gate.set()

    assert await second
    assert broker.starts == 2


async def test_several_users_at_once_are_all_served() -> None:
    connection = Connection(broker := Slow())
    opens = [asyncio.ensure_future(connection.open(user)) for user in ("client", "worker")]
    await asyncio.sleep(0)

    broker.gate.set()

    assert await asyncio.gather(*opens) == [True, True]
    assert connection.serves("client")
    assert connection.serves("worker")
