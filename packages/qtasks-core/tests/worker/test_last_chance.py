"""A suspect on its last chance: it waits without risk until nothing else runs, then runs alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.asyncio import QueueTasks
from qtasks.brokers import MemoryBroker
from qtasks.configs import QueueConfig
from qtasks.exc import ServerUnavailableError
from qtasks.schemas import MAX_LOST, Claim

if TYPE_CHECKING:
    from qtasks.schemas import Held


class Blamed(MemoryBroker):
    """A broker that notes what it is told about suspects, and may be away."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.blames: list[int] = []
        self.blamed = asyncio.Event()
        self.failures = 0

    async def blame(self, held: Held, lost: int) -> None:
        if self.failures:
            self.failures -= 1
            msg = "gone"
            raise ServerUnavailableError(msg)
        await super().blame(held, lost)
        self.blames.append(lost)
        self.blamed.set()


async def lose(broker: MemoryBroker, times: int) -> None:
    """Has a worker die that held what is in the queue "late", and keeps others from it."""
    for _ in range(times):
        await broker.claim(Claim(("late",), 10, 600.0, "dead"))
        await broker.expire("dead")
    await broker.pause("late")


@pytest.fixture
def broker() -> Blamed:
    return Blamed()


@pytest.fixture
def app(broker: Blamed) -> QueueTasks:
    return QueueTasks(broker=broker, config=QueueConfig(max_tasks_process=2, prefetch=0))


@pytest.mark.parametrize("failures", [0, 2])
async def test_it_is_spared_while_it_waits_and_blamed_when_it_runs(
    app: QueueTasks, broker: Blamed, failures: int
) -> None:
    """To be lost while others run here is no sign of guilt."""
    hold, runs = asyncio.Event(), asyncio.Event()
    seen: list[tuple[str, int]] = []

    @app.task
    async def busy() -> None:
        runs.set()
        await hold.wait()
        seen.append(("busy", len(broker.blames)))

    @app.task(queue="late")
    async def suspect() -> None:
        seen.append(("suspect", len(broker.blames)))

    late = await suspect.add_task()
    await lose(broker, MAX_LOST - 1)
    await busy.add_task()
    broker.failures = failures

    async with app.worker(queues=["default", "late"]):
        await asyncio.wait_for(runs.wait(), 60)
        await broker.resume("late")
        await asyncio.wait_for(broker.blamed.wait(), 60)
        assert broker.blames == [MAX_LOST - 2]
        hold.set()
        await late.wait(60)

    assert seen == [("busy", 1), ("suspect", 2)]
    assert broker.blames == [MAX_LOST - 2, MAX_LOST - 1]


async def test_it_is_not_convicted_when_its_worker_dies_while_it_waits(
    app: QueueTasks, broker: Blamed
) -> None:
    hold, runs = asyncio.Event(), asyncio.Event()

    @app.task
    async def busy() -> None:
        runs.set()
        await hold.wait()

    @app.task(queue="late")
    async def suspect() -> int:
        return 7

    late = await suspect.add_task()
    await lose(broker, MAX_LOST - 1)
    first = await busy.add_task()

    async with app.worker(queues=["default", "late"]) as worker:
        await asyncio.wait_for(runs.wait(), 60)
        await broker.resume("late")
        await asyncio.wait_for(broker.blamed.wait(), 60)
        await broker.expire(worker.id)  # as after a crash
        hold.set()
        assert await late.result(timeout=60) == 7
        await first.wait(60)

    assert late.record.lost == 0


async def test_without_others_it_runs_at_once(app: QueueTasks, broker: Blamed) -> None:
    @app.task(queue="late")
    async def suspect() -> int:
        return 7

    late = await suspect.add_task()
    await lose(broker, MAX_LOST - 1)
    await broker.resume("late")

    async with app.worker(queues=["late"]):
        assert await late.result(timeout=60) == 7

    assert broker.blames == []
