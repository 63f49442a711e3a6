"""What dead children held comes back, however long the broker is away."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from qtasks._core.connection import Connection
from qtasks._supervisor import expiry
from qtasks._supervisor.expiry import Expiry
from qtasks.brokers import MemoryBroker
from qtasks.exc import ServerError, ServerUnavailableError
from qtasks.schemas import Claim, Held, Message, Presence, Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Faulty(MemoryBroker):
    """A broker that fails to expire as often as it is told to."""

    def __init__(self) -> None:
        super().__init__("memory://")
        self.errors: list[ServerError] = []
        self.expired: list[str] = []
        self.tried = asyncio.Condition()

    async def expire(self, worker: str) -> int:
        if self.errors:
            raise self.errors.pop()
        async with self.tried:
            self.expired.append(worker)
            self.tried.notify_all()
        return await super().expire(worker) + 2

    async def until_expired(self, times: int) -> None:
        async with self.tried:
            await self.tried.wait_for(lambda: len(self.expired) >= times)


@pytest.fixture
def broker() -> Faulty:
    return Faulty()


@pytest.fixture
async def dead(broker: Faulty, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Expiry]:
    monkeypatch.setattr(expiry, "_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(expiry, "_AGAIN", 0.0)
    made = Expiry(Connection(broker))
    yield made
    await made.close()


async def test_it_is_done_at_once_and_a_moment_later_again(
    dead: Expiry, broker: Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    dead.expire("here-1", 3)
    await broker.until_expired(2)

    assert broker.expired == ["here-1", "here-1"]
    assert caplog.messages == ["[3] Took back 2 of its tasks"]


async def test_what_the_dead_held_is_shown_before_it_is_taken_back(
    dead: Expiry, broker: Faulty
) -> None:
    shown: list[list[Record]] = []
    task_id = "00000000-0000-4000-8000-000000000001"
    await broker.start()
    await broker.publish([Message(task_id, "crash", "default", b"")])
    await broker.claim(Claim(("default",), 1, 60.0, "here-1"))

    dead.expire("here-1", 1, shown.append)
    await broker.until_expired(1)
    await dead.close()

    [record] = shown[0]
    assert (record.id, record.task, record.status) == (task_id, "crash", "process")
    await broker.stop()


@pytest.mark.parametrize("error", [ServerError("no"), ServerUnavailableError("away")])
async def test_a_broker_that_cannot_tell_takes_it_back_all_the_same(
    dead: Expiry, broker: Faulty, monkeypatch: pytest.MonkeyPatch, error: ServerError
) -> None:
    async def holds(_: str) -> list[Held]:
        raise error

    monkeypatch.setattr(broker, "holds", holds)
    shown: list[list[Record]] = []

    dead.expire("here-1", 1, shown.append)
    await broker.until_expired(1)
    await dead.close()

    assert shown[0] == []


async def test_nothing_is_shown_of_who_cannot_be_taken_back(dead: Expiry, broker: Faulty) -> None:
    broker.errors = [ServerUnavailableError("away")] * 100_000
    shown: list[list[Record]] = []

    dead.expire("here-1", 1, shown.append)
    await dead.close()

    assert shown[-1] == []


async def test_the_report_of_the_dead_is_removed(dead: Expiry, broker: Faulty) -> None:
    await broker.start()
    await broker.report(Presence("here-1"), 60)

    dead.expire("here-1", 1)
    await broker.until_expired(2)

    assert await broker.workers() == []
    await broker.stop()


async def test_a_broker_that_is_away_is_asked_again_with_one_line(
    dead: Expiry, broker: Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    broker.errors = [ServerUnavailableError("away")] * 4

    dead.expire("here-1", 3)
    await broker.until_expired(1)

    assert caplog.messages == ["[3] Its tasks cannot be taken back yet: away"]


async def test_one_that_refuses_is_left_alone(
    dead: Expiry, broker: Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    broker.errors = [ServerError("no")]

    dead.expire("here-1", 3)
    await dead.close()

    assert broker.expired == []
    assert caplog.messages == ["[3] Its tasks come back when their leases end: no"]


async def test_the_end_does_not_wait_for_a_broker_that_stays_away(
    dead: Expiry, broker: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "_LAST", 0.0)
    broker.errors = [ServerUnavailableError("away")] * 100_000

    dead.expire("here-1", 3)
    await dead.close()

    assert broker.expired == []


async def test_whose_tasks_are_set_aside_with_it_is_told(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, list[str]]] = []
    heard = asyncio.Event()

    def tell(worker: str, ids: list[str]) -> None:
        told.append((worker, ids))
        heard.set()

    ids = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"]
    await broker.start()
    await broker.publish([Message(ids[0], "crash", "default", b""), Message(ids[1], "b", "b", b"")])
    for worker in ("here-1", "here-2"):
        await broker.claim(Claim(("default",), 1, 60.0, worker))
        await broker.expire(worker)
    await broker.claim(Claim(("default", "b"), 2, 60.0, "here-3"))
    made = Expiry(Connection(broker), tell)

    made.expire("here-3", 1)
    await heard.wait()

    await made.close()
    await broker.stop()
    assert told == [("here-3", ids[:1])]


async def test_what_a_keeper_has_told_is_not_told_again(broker: MemoryBroker) -> None:
    told: list[tuple[str, list[str]]] = []
    ids = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"]
    await broker.start()
    await broker.publish([Message(ids[0], "crash", "default", b"")])
    for worker in ("here-1", "here-2", "here-3"):
        await broker.claim(Claim(("default",), 1, 60.0, worker))
        await broker.expire(worker)  # the third time as a keeper would, which told of it
    await broker.publish([Message(ids[1], "b", "default", b"")])
    await broker.claim(Claim(("default",), 1, 60.0, "here-3"))
    made = Expiry(Connection(broker), lambda worker, ids: told.append((worker, ids)))

    made.expire("here-3", 1)
    while (await broker.stats("default")).leased:
        await asyncio.sleep(0)

    await made.close()
    await broker.stop()
    assert told == []
