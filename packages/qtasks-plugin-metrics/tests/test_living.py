"""What is seen of workers while they work, or do not."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from qtasks.asyncio import QueueTasks
from qtasks.configs import QueueConfig
from qtasks.exc import ServerUnavailableError
from qtasks_plugin_metrics import MetricsPlugin, Options

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

PATIENCE = 60.0  # seconds


def get(plugin: MetricsPlugin, path: str) -> tuple[int, str]:
    """Asks what a plugin serves."""
    url = (plugin.url or "").removesuffix("/metrics") + path
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def value(plugin: MetricsPlugin, name: str, **labels: str) -> float:
    """Returns what a sample shows; 0 if it is not there."""
    return plugin.registry.get_sample_value(name, labels) or 0.0


async def until(condition: Callable[[], object]) -> None:
    """Waits for something that threads bring about."""
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


def make(**settings: object) -> tuple[QueueTasks, MetricsPlugin]:
    plugin = MetricsPlugin(options=Options(port=0, **settings))  # type: ignore[arg-type]  # checked there
    config = QueueConfig(lease=1.0)
    return QueueTasks(broker_url="memory://", config=config, plugins=[plugin]), plugin


async def test_a_loop_that_is_blocked_is_not_healthy_and_the_probe_answers() -> None:
    app, plugin = make(stale_after=0.05)
    answers: list[tuple[int, str]] = []

    @app.task(pool="loop")
    def block() -> None:
        deadline = time.monotonic() + PATIENCE
        while not answers or "has not answered for" not in answers[-1][1]:
            assert time.monotonic() < deadline
            answers.append(get(plugin, "/healthz"))
        assert get(plugin, "/metrics")[0] == 200

    handle = await block.add_task()
    async with app.worker():
        await handle.result(timeout=PATIENCE)

    assert answers[-1][0] == 503
    await app.close()


async def test_a_task_that_runs_is_busy_time_before_it_ends() -> None:
    app, plugin = make()
    go = asyncio.Event()

    @app.task
    async def hold() -> None:
        await go.wait()

    handle = await hold.add_task()
    async with app.worker():
        await until(lambda: value(plugin, "qtasks_tasks_in_progress", queue="default") == 1)
        await until(lambda: value(plugin, "qtasks_worker_busy_seconds_total", pool="loop") > 0)
        assert value(plugin, "qtasks_worker_slots", pool="loop") == app.config.max_tasks_process
        assert value(plugin, "qtasks_worker_last_poll_timestamp_seconds") <= time.time()
        await until(
            lambda: value(plugin, "qtasks_lease_renewals_total", queue="default", result="renewed")
        )
        go.set()
        await handle.result(timeout=PATIENCE)
        await until(lambda: value(plugin, "qtasks_event_loop_lag_seconds_count") > 0)
    await app.close()


async def test_a_broker_that_is_away_is_alive_and_not_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, plugin = make()
    worker = app.worker()
    about = {"broker": "memory", "op": "exchange"}

    async def fail(*_: object) -> None:
        msg = "away"
        raise ServerUnavailableError(msg)

    async with worker:
        await until(lambda: get(plugin, "/readyz") == (200, "ok\n"))
        monkeypatch.setattr(worker.broker, "exchange", fail)
        worker._pump.wake()
        await until(lambda: get(plugin, "/readyz")[0] == 503)
        assert "does not reach the broker" in (await asyncio.to_thread(get, plugin, "/readyz"))[1]
        assert (await asyncio.to_thread(get, plugin, "/healthz"))[0] == 200
        assert value(plugin, "qtasks_broker_connected") == 0
        monkeypatch.undo()
        await until(lambda: value(plugin, "qtasks_broker_reconnects_total", broker="memory") == 1)
        await until(lambda: get(plugin, "/readyz")[0] == 200)

    kind = "qtasks.exc.ServerUnavailableError"
    assert value(plugin, "qtasks_broker_errors_total", **about, error_type=kind) >= 1
    await app.close()


async def test_a_stale_outcome_is_fenced_and_no_success() -> None:
    app, plugin = make()
    runs: list[int] = []

    @app.task(echo=True)
    async def late(self: object) -> None:
        runs.append(1)
        if len(runs) == 1:
            worker = self.ctx.get_component("worker")  # type: ignore[attr-defined]  # an echo task has one
            await app.broker.expire(worker.id)

    handle = await late.add_task()
    async with app.worker():
        await handle.result(timeout=PATIENCE)
        await until(lambda: value(plugin, "qtasks_leases_expired_total", queue="default") == 1)

    about = {"queue": "default", "task": handle.record.task}
    fenced = value(plugin, "qtasks_attempts_total", **about, outcome="fenced")
    assert value(plugin, "qtasks_settles_fenced_total", queue="default") == fenced
    assert value(plugin, "qtasks_tasks_finished_total", **about, outcome="success") == 1
    await app.close()
