"""A broker that is away: how often it is tried, and what happens first when it is back."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import TYPE_CHECKING, Any

from qtasks._runtime.bridge import drive
from qtasks._worker.keeper import Keeper
from qtasks._worker.outages import Outages
from qtasks.asyncio import QueueTasks
from qtasks.brokers import MemoryBroker
from qtasks.exc import ServerUnavailableError
from qtasks.schemas import Exchange, Extension, Held, Presence, Swept

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from qtasks.schemas import Claim, Settlement


class Away(MemoryBroker):
    """A broker that answers no exchange for some time."""

    failures = 0

    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        if self.failures:
            self.failures -= 1
            msg = "gone"
            raise ServerUnavailableError(msg)
        return await super().exchange(settlements, request)


async def test_a_broker_that_is_away_is_tried_twice_a_second_and_later_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The longest pause, without chance, keeps work away for less than half a second."""
    pauses: list[float] = []

    async def pause(_: object, seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("random.uniform", lambda _, most: most)
    monkeypatch.setattr(Outages, "pause", pause)
    broker = Away()
    broker.failures = 103
    app = QueueTasks(broker=broker)

    @app.task
    async def work() -> int:
        return 7

    handle = await work.add_task()
    async with app.worker():
        assert await handle.result(timeout=60) == 7
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.4]
    assert pauses[99:103] == [0.4, 2.0, 2.0, 2.0]


class Recorded:
    """A broker and its twin, which note what a keeper does."""

    def __init__(self, failures: int, lease_ends: Sequence[float | None] = ()) -> None:
        self.failures = failures
        self.lease_ends = iter(lease_ends)
        self.swept = threading.Semaphore(0)
        self.calls: list[str] = []
        self.reported = threading.Semaphore(0)

    def client(self) -> Recorded:
        return self

    async def start(self) -> None:
        """Is there."""

    async def stop(self) -> None:
        """Goes."""

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        if self.failures:
            self.failures -= 1
            self.calls.append("failed")
            msg = "gone"
            raise ServerUnavailableError(msg)
        self.calls.append("extend")
        return Extension()

    async def sweep(self, limit: int = 100) -> Swept:
        self.calls.append("sweep")
        self.swept.release()
        return Swept(next_lease_end=next(self.lease_ends, None))

    async def report(self, presence: Presence, ttl: float) -> None:
        self.calls.append("report")
        self.reported.release()


class Target:
    """A worker that holds one task."""

    def held(self) -> list[Held]:
        return [Held("id", 1, "q")]

    def presence(self) -> Presence:
        return Presence("w")

    def kept(self, *_: object) -> None:
        """Knows now."""

    def doomed(self, error: Exception) -> None:
        raise error


async def test_a_keeper_takes_nothing_back_right_after_an_outage() -> None:
    """Other workers come back in the same moment, and their leases have run out just as ours."""
    broker: Any = Recorded(failures=3)
    keeper = Keeper(broker, Target(), lease=0.03)
    keeper.start()
    for _ in range(2):
        assert await asyncio.to_thread(broker.reported.acquire, timeout=60)
    await keeper.stop()
    first_rounds = ["failed"] * 3 + ["extend", "report"] + ["extend", "sweep", "report"]
    assert broker.calls[: len(first_rounds)] == first_rounds


async def test_a_new_worker_that_waited_for_the_broker_takes_nothing_back_at_once() -> None:
    broker: Any = Recorded(failures=0)
    keeper = Keeper(broker, Target(), lease=0.03, after_outage=True)
    keeper.start()
    for _ in range(2):
        assert await asyncio.to_thread(broker.reported.acquire, timeout=60)
    await keeper.stop()
    first_rounds = ["extend", "report", "extend", "sweep", "report"]
    assert broker.calls[: len(first_rounds)] == first_rounds


async def test_a_keeper_sweeps_when_a_lease_of_another_worker_ends() -> None:
    """Long before its next round, which with this lease is due in minutes."""
    broker: Any = Recorded(failures=0, lease_ends=(0.01, 0.0, None))
    keeper = Keeper(broker, Target(), lease=600)
    keeper.start()
    for _ in range(3):
        assert await asyncio.to_thread(broker.swept.acquire, timeout=60)
    await keeper.stop()
    assert broker.calls.count("extend") == 1
    assert keeper._sweep_at == math.inf


def test_a_keeper_does_not_wait_long_after_a_failure() -> None:
    """A third of a lease later may be too late."""
    keeper = Keeper(MemoryBroker(), Target(), lease=30.0)
    drive(keeper._next())
    assert keeper._pause == 1.0  # a look, and a round in ten seconds
    keeper._note_failure(ServerUnavailableError("gone"))
    assert keeper._pause == 0.5
    keeper._note_success()
    assert keeper._pause == 1.0
