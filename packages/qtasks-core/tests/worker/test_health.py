"""What a worker says of itself while it works, and what is told of its calls to the broker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qtasks.asyncio import QueueTasks
from qtasks.configs import QueueConfig
from qtasks.exc import ServerUnavailableError
from qtasks.plugins import Plugin, on


class Ear(Plugin):
    """Remembers what it was told of calls to the broker and of runs."""

    def __init__(self) -> None:
        super().__init__("ear")
        self.exchanges: list[dict[str, Any]] = []
        self.runs: list[tuple[float, float]] = []
        self.kept = asyncio.Event()
        self.held: list[Any] = []

    @on("worker_exchanged")
    def exchanged(self, **told: Any) -> None:
        self.exchanges.append(told)

    @on("worker_outcome")
    def ended(self, started: float, seconds: float) -> None:
        self.runs.append((started, seconds))

    @on("worker_leases_kept")
    def renewed(self, held: Any, lost: Any) -> None:
        self.held.append((held, lost))
        self.kept.set()


def make_app(**settings: Any) -> tuple[QueueTasks, Ear]:
    ear = Ear()
    config = QueueConfig(**settings)
    return QueueTasks(broker_url="memory://", config=config, plugins=[ear]), ear


async def test_health_shows_what_runs_what_waits_and_that_the_loop_moves() -> None:
    app, _ = make_app(max_tasks_process=1, prefetch=1)
    began, go = asyncio.Event(), asyncio.Event()

    @app.task(queue="slow")
    async def hold() -> None:
        began.set()
        await go.wait()

    await app.add_tasks([hold.build(), hold.build()])
    worker = app.worker(queues=("slow",))
    async with worker:
        await began.wait()
        health = worker.health()
        go.set()

    assert (health.worker, health.slots) == (worker.id, 1)
    assert (health.running, health.prefetched) == ({"slow": 1}, {"slow": 1})
    assert list(health.busy) == ["loop"]
    assert health.busy["loop"] >= 0
    assert (health.claiming, health.connected, health.full) == (True, True, True)
    assert 0 <= health.moved < 60
    stopped = worker.health()
    assert (stopped.claiming, stopped.running, stopped.prefetched) == (False, {}, {})
    await app.close()


async def test_a_worker_whose_broker_is_away_is_not_connected(monkeypatch: Any) -> None:
    app, ear = make_app()
    worker = app.worker()
    failing = asyncio.Event()

    async def fail(*_: object) -> None:
        failing.set()
        msg = "away"
        raise ServerUnavailableError(msg)

    async with worker:
        monkeypatch.setattr(worker.broker, "exchange", fail)
        worker._pump.wake()
        await failing.wait()
        while worker.health().connected:
            await asyncio.sleep(0)
        monkeypatch.undo()

    error = next(told["e"] for told in ear.exchanges if told["e"] is not None)
    assert isinstance(error, ServerUnavailableError)
    await app.close()


async def test_calls_to_the_broker_are_told_once_for_many_tasks() -> None:
    app, ear = make_app(max_tasks_process=10)

    @app.task
    async def noop() -> None:
        """Does nothing."""

    await app.add_tasks([noop.build() for _ in range(10)])
    await app.worker(burst=True).run()

    assert sum(len(told["deliveries"]) for told in ear.exchanges) == 10
    assert sum(len(told["runs"]) for told in ear.exchanges) == 10
    assert len(ear.exchanges) < 10
    assert all(told["seconds"] >= 0 and told["refused"] == () for told in ear.exchanges)
    await app.close()


async def test_the_time_of_a_run_is_told_with_its_outcome() -> None:
    app, ear = make_app()

    @app.task
    async def pause() -> None:
        await asyncio.sleep(0.02)

    await pause.add_task()
    before = app.clock.time()
    await app.worker(burst=True).run()

    ((started, seconds),) = ear.runs
    assert before <= started
    assert 0.01 < seconds <= app.clock.time() - started
    await app.close()


async def test_renewed_leases_are_told_with_their_queues() -> None:
    app, ear = make_app(lease=0.2)

    @app.task(queue="slow")
    async def wait() -> None:
        await ear.kept.wait()

    await wait.add_task()
    await app.worker(queues=("slow",), burst=True).run()

    held, lost = ear.held[0]
    assert [one.queue for one in held] == ["slow"]
    assert not lost
    await app.close()


async def test_a_failure_that_is_to_be_raised_stops_the_worker_and_keeps_its_tasks() -> None:
    class Strict(Plugin):
        @on("worker_exchanged")
        def fail(self, runs: Any) -> None:
            if runs:
                msg = "not like this"
                raise RuntimeError(msg)

    app, _ = make_app()
    app.add_plugin(Strict("strict"), on_error="raise")

    @app.task
    async def noop() -> int:
        return 1

    handle = await noop.add_task()
    with pytest.raises(RuntimeError, match="not like this"):
        await app.worker().run()

    assert (await handle.refresh()).status == "success"
    await app.close()
