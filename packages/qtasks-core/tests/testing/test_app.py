"""Apps in memory, and what runs in them to the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.contracts.clock import SystemClock
from qtasks.exc import ConfigError, RetryLater
from qtasks.testing import FakeClock, TriggerRecorder, make_app, run_queue, run_task

if TYPE_CHECKING:
    from pathlib import Path


def finish(value: Any) -> Any:
    """Returns a value of either colour of app."""
    if not asyncio.iscoroutine(value):
        return value
    return asyncio.run(value)


def test_a_task_is_run_to_its_end(colour: Any) -> None:
    app: Any = make_app(colour)

    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    assert finish(run_task(app, add, 1, y=2)).returning == 3
    assert finish(run_task(app, "add", 3, 4)).returning == 7


def test_what_a_task_adds_is_run_as_well_whatever_its_queue(colour: Any) -> None:
    app: Any = make_app(colour)
    ran: list[str] = []
    app.task(name="last")(lambda: ran.append("last"))

    @app.task(echo=True, queue="first")
    def first(self: Any) -> None:
        ran.append("first")
        self.add_task(task_name="last", queue="a queue of its own".replace(" ", "-"))

    finish(run_task(app, first))
    assert ran == ["first", "last"]


def test_delays_and_retries_pass_at_once(colour: Any) -> None:
    clock = FakeClock()
    app: Any = make_app(colour, clock=clock)
    began = clock.time()
    runs: list[float] = []

    @app.task
    def stubborn() -> str:
        runs.append(clock.time() - began)
        if len(runs) < 3:
            raise RetryLater(60)
        return "done"

    handle = finish(run_task(app, stubborn, delay=3600))
    assert handle.returning == "done"
    assert [round(seconds) for seconds in runs] == [3600, 3660, 3720]


def test_delays_may_stay(colour: Any) -> None:
    clock = FakeClock()
    app: Any = make_app(colour, clock=clock)
    ran: list[int] = []
    app.task(name="later")(lambda: ran.append(1))
    finish(app.add_task("later", delay=60))
    finish(run_queue(app, delays=False))
    assert ran == []
    clock.advance(60)
    finish(run_queue(app, delays=False))
    assert ran == [1]


def test_what_is_paused_stays() -> None:
    app = make_app()
    app.task(name="add", queue="paused")(lambda: None)
    app.pause_queue("paused")
    now, later = (app.add_task("add", queue="paused", delay=delay) for delay in (0, 60))
    run_queue(app)
    assert [now.refresh().status, later.refresh().status] == ["new", "new"]


def test_a_worker_starts_and_stops_once_for_a_run() -> None:
    recorder = TriggerRecorder()
    app = make_app()
    app.add_plugin(recorder, ["worker_start", "worker_stop"])
    app.task(name="add")(lambda: None)
    app.add_task("add")
    run_task(app, "add", delay=60)
    assert recorder.names() == ["worker_start", "worker_stop"]
    run_queue(app)  # there is nothing to do, and still a worker
    assert recorder.names() == ["worker_start", "worker_stop"] * 2


def test_settings_are_those_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_BROKER_URL", f"sqlite:///{tmp_path}/q.db")
    monkeypatch.setenv("QTASKS_STORAGE_URL", f"sqlite:///{tmp_path}/q.db")
    app = make_app(max_tasks_process=3)
    app.task(name="add")(lambda: 5)
    assert run_task(app, "add").returning == 5
    assert (app.config.max_tasks_process, app.broker.url) == (3, "memory://")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_colour_is_refused() -> None:
    with pytest.raises(ConfigError, match="make_app\\('red'\\): the colour is 'sync' or 'async'"):
        make_app("red")  # type: ignore[call-overload]  # what is refused


def test_tasks_that_sleep_are_woken_in_the_order_of_their_time(colour: Any) -> None:
    clock = FakeClock()
    app: Any = make_app(colour, clock=clock, max_tasks_process=2)
    began = clock.time()
    woken: list[tuple[str, float]] = []

    @app.task(echo=True)
    async def sleep(self: Any, name: str, seconds: float) -> None:
        for _ in range(2):
            await self.ctx.sleep(seconds)
            woken.append((name, round(clock.time() - began)))

    for name, seconds in (("slow", 100), ("quick", 40), ("last", 10)):
        finish(app.add_task("sleep", name, seconds))
    finish(run_queue(app))
    assert woken == [
        ("quick", 40),
        ("quick", 80),
        ("last", 90),
        ("slow", 100),
        ("last", 100),
        ("slow", 200),
    ]


def test_time_stands_still_while_anything_else_goes_on() -> None:
    clock = FakeClock()
    app = make_app("async", clock=clock)
    began = clock.time()
    ended: list[float] = []

    async def run() -> None:
        gate = asyncio.Event()

        @app.task(echo=True)
        async def sleep(self: Any) -> None:
            asyncio.get_running_loop().call_later(0.01, gate.set)
            await self.ctx.sleep(60)

        @app.task
        async def wait() -> None:
            await gate.wait()
            ended.append(clock.time() - began)

        await app.add_task("sleep")
        await app.add_task("wait")
        await run_queue(app)

    asyncio.run(run())
    assert ended == [0]
    assert clock.time() == began + 60


def test_a_task_that_does_not_end_is_given_up() -> None:
    app = make_app("async")

    @app.task
    async def wait() -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        await app.add_task("wait")
        await run_queue(app, patience=0.01)

    with pytest.raises(TimeoutError, match=r"after 0\.01 s these tasks still run: 1 of queue"):
        asyncio.run(run())


def test_a_task_that_runs_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qtasks.testing.running._MOST_JUMPS", 5)
    app = make_app()

    @app.task
    def stubborn() -> None:
        raise RetryLater(60)

    app.add_task("stubborn")
    with pytest.raises(RuntimeError, match="time jumped 5 times"):
        run_queue(app)


def test_time_that_passes_by_itself_cannot_jump() -> None:
    app = make_app(clock=SystemClock())
    app.task(name="later")(lambda: None)
    app.add_task("later", delay=60)
    with pytest.raises(TypeError, match="the app's clock is a SystemClock"):
        run_queue(app)


def test_a_sync_app_is_not_run_inside_a_loop() -> None:
    app = make_app()

    async def run() -> None:
        run_queue(app)

    with pytest.raises(TypeError, match=r"take make_app\('async'\) there"):
        asyncio.run(run())


def test_a_task_that_expires_does_not_hold_up_the_end() -> None:
    app = make_app()
    app.task(name="stale")(lambda: None)
    handle = app.add_task("stale", delay=60, expires=30)
    run_queue(app)
    assert handle.refresh().status == "cancel"
