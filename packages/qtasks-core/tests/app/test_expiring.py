"""Tasks that have to be started in time: delayed, between attempts, and held ready by a worker."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import qtasks
import qtasks.asyncio
from qtasks.adapters.memory import MemoryBroker
from qtasks.configs import QueueConfig
from qtasks.exc import RegistrationError, RetryLater, TaskArgumentsError
from qtasks.testing import FakeClock

if TYPE_CHECKING:
    from conftest import Harness


def make(**config: Any) -> tuple[qtasks.QueueTasks, FakeClock]:
    clock = FakeClock()
    broker = MemoryBroker(clock=clock)
    return qtasks.QueueTasks(broker=broker, clock=clock, config=QueueConfig(**config)), clock


def test_a_task_that_is_added_too_late_never_runs(harness: Harness) -> None:
    ran: list[int] = []
    app: Any = harness.app
    task = app.task(name="note")(note_in(ran))
    past = datetime.now(UTC) - timedelta(minutes=1)

    late = harness.do(task.options(expires=past).add_task(1))
    in_time = harness.do(task.options(expires=past + timedelta(hours=1)).add_task(2))
    harness.work()

    harness.do(late.wait(10))
    assert (late.status, late.reason) == ("cancel", "expired")
    assert harness.do(in_time.result(10)) == 2
    assert ran == [2]


def note_in(ran: list[int]) -> Any:
    def note(number: int) -> int:
        ran.append(number)
        return number

    return note


def test_the_task_says_within_what_time_and_the_call_may_say_otherwise() -> None:
    app, clock = make()
    ran: list[int] = []
    task = app.task(expires=timedelta(seconds=60))(note_in(ran))

    by_task = task.add_task(1)
    by_call = task.options(expires=600).add_task(2)
    clock.advance(61)
    app.run_forever(burst=True)

    assert (by_task.refresh().reason, by_call.refresh().status) == ("expired", "success")
    assert ran == [2]


def test_a_delayed_task_that_expires_before_its_time_never_runs() -> None:
    app, clock = make()
    ran: list[int] = []
    handle = app.task(note_in(ran)).options(delay=60, expires=30).add_task(1)

    clock.advance(61)
    app.run_forever(burst=True)

    assert (handle.refresh().status, handle.reason, ran) == ("cancel", "expired", [])


def test_a_retry_that_would_start_too_late_does_not() -> None:
    app, clock = make()
    runs: list[int] = []

    @app.task(expires=30)
    def fail() -> None:
        runs.append(1)
        raise RetryLater(60)

    handle = fail.add_task()
    app.run_forever(burst=True)
    before = handle.refresh().status
    clock.advance(61)
    app.run_forever(burst=True)

    assert (before, len(runs)) == ("retry", 1)
    assert (handle.refresh().status, handle.reason, handle.attempts) == ("cancel", "expired", 1)


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
async def test_what_expires_while_a_worker_holds_it_ready_does_not_start(
    kind: str, tmp_path: Any, request: pytest.FixtureRequest
) -> None:
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path / 'q.db'}"}
    url = urls.get(kind) or request.getfixturevalue("valkey")
    config = QueueConfig(max_tasks_process=1, prefetch=10)
    app = qtasks.asyncio.QueueTasks(broker_url=url, config=config)
    go, started, ran = asyncio.Event(), asyncio.Event(), list[str]()
    cancelled: list[str] = []

    @app.task
    async def hold() -> None:
        started.set()
        await go.wait()

    @app.task
    async def note(word: str) -> None:
        ran.append(word)

    @app.events.on.task_cancel
    def heard(model: Any) -> None:
        cancelled.append(model.reason)

    async with app, app.worker():
        first = await hold.add_task()
        late = await note.options(expires=0.3).add_task("late")
        other = await note.options(expires=300).add_task("other")
        await started.wait()

        await late.wait(30)
        assert (late.status, late.reason) == ("cancel", "expired")
        assert (await first.refresh()).status == "process"
        go.set()
        await other.wait(30)

    assert ran == ["other"]
    assert cancelled == ["expired"]


async def test_a_letter_that_was_sent_back_has_all_the_time(tmp_path: Any) -> None:
    app, clock = make()
    runs: list[int] = []

    @app.task(expires=30)
    def fail() -> None:
        runs.append(1)
        raise ValueError

    handle = fail.add_task()
    await asyncio.to_thread(app.run_forever, burst=True)
    clock.advance(60)
    app.requeue([handle.id])
    await asyncio.to_thread(app.run_forever, burst=True)

    assert len(runs) == 2


@pytest.mark.parametrize("expires", [-1, "1h", float("nan"), True])
def test_what_is_no_time_is_refused(expires: Any) -> None:
    app, _ = make()

    with pytest.raises(RegistrationError, match=r"expires=.*; use seconds from 0 up, a timedelta"):
        app.task(expires=expires)(note_in([]))
    with pytest.raises(TaskArgumentsError, match=r"expires=.*: use seconds from 0 up"):
        app.task(note_in([])).options(expires=expires).add_task(1)


def test_a_time_needs_a_zone() -> None:
    app, _ = make()
    naive = datetime(2030, 1, 1)  # noqa: DTZ001 - that is the point

    with pytest.raises(TaskArgumentsError, match="has no time zone"):
        app.task(note_in([])).options(expires=naive).add_task(1)
