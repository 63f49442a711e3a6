"""Executors of the user's own: each step runs, in the right place and order, and may fail."""

from __future__ import annotations

import subprocess
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.exc import TaskCancelError
from qtasks.executors import AsyncTaskExecutor, SyncTaskExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness

steps: list[tuple[str, str]] = []


def note(step: str) -> None:
    steps.append((step, threading.current_thread().name.partition("-")[0]))


class AsyncSteps(AsyncTaskExecutor):
    async def before_execute(self) -> None:
        note("before")
        self.kwargs = {**self.kwargs, "y": 10}

    async def run_task(self) -> Any:
        note("run")
        return await super().run_task()

    async def after_execute(self) -> None:
        note("after")
        self.result += 1

    async def decode(self) -> Any:
        note("decode")
        return [await super().decode()]


class SyncSteps(SyncTaskExecutor):
    def before_execute(self) -> None:
        note("before")
        self.kwargs = {**self.kwargs, "y": 10}

    def run_task(self) -> Any:
        note("run")
        return super().run_task()

    def after_execute(self) -> None:
        note("after")
        self.result += 1

    def decode(self) -> Any:
        note("decode")
        return [super().decode()]


class Around(SyncTaskExecutor):
    def before_execute(self) -> None:
        note("before")

    def after_execute(self) -> None:
        note("after")


class Failing(SyncTaskExecutor):
    def before_execute(self) -> None:
        msg = "not ready"
        raise OSError(msg)


class Cancelling(AsyncTaskExecutor):
    async def after_execute(self) -> None:
        msg = "second thoughts"
        raise TaskCancelError(msg)


@pytest.fixture(autouse=True)
def url() -> str:
    """The steps do not depend on the broker."""
    steps.clear()
    return "memory://"


def test_async_steps_run_in_order_on_the_loop(harness: Harness) -> None:
    @harness.app.task(executor=AsyncSteps, decode=str)
    async def add(x: int, y: int = 0) -> int:
        return x + y

    handle = harness.do(add.add_task(1))
    harness.work()
    assert harness.do(handle.result(5)) == ["12"]
    assert steps == [(step, "MainThread") for step in ("before", "run", "after", "decode")]


@pytest.mark.parametrize(("pool", "thread"), [("thread", "qtasks"), ("loop", "MainThread")])
def test_sync_steps_run_in_order_where_the_function_runs(
    harness: Harness, pool: str, thread: str
) -> None:
    @harness.app.task(executor=SyncSteps, decode=str, pool=pool)
    def add(x: int, y: int = 0) -> int:
        return x + y

    handle = harness.do(add.add_task(1))
    harness.work()
    assert harness.do(handle.result(5)) == ["12"]
    assert steps == [(step, thread) for step in ("before", "run", "after", "decode")]


def test_steps_around_a_process_run_in_the_worker(harness: Harness) -> None:
    task = harness.app.task(executor=Around, pool="process")(textwrap.dedent)
    handle = harness.do(task.add_task("  a"))
    harness.work()
    assert harness.do(handle.result(5)) == "a"
    assert [step for step, _ in steps] == ["before", "after"]


def test_a_step_that_raises_is_the_tasks_failure(harness: Harness) -> None:
    harness.app.task(name="failing", executor=Failing)(lambda: 1)

    @harness.app.task(executor=Cancelling)
    async def cancelling() -> None:
        """Does nothing."""

    one, two = harness.do(harness.app.add_task("failing")), harness.do(cancelling.add_task())
    harness.work()
    assert harness.do(one.wait(5)).error.message == "not ready"
    assert (harness.do(two.wait(5)).status, two.reason) == ("cancel", "second thoughts")


def test_max_time_does_not_count_the_wait_for_a_place(make_harness: Callable[..., Harness]) -> None:
    """Their places are taken for longer than they may run; they themselves take no time."""
    harness = make_harness(max_threads=1, max_processes=1)
    # Functions of the standard library can be found by a child.
    takers = [
        harness.app.task(name=f"takes-{pool}", pool=pool, priority=-1)(subprocess.call)
        for pool in ("thread", "process")
    ]
    waiters = [
        harness.app.task(name=f"waits-{pool}", pool=pool, max_time=2.5)(textwrap.dedent)
        for pool in ("thread", "process")
    ]
    handles = [harness.do(taker.add_task(["sleep", "2.7"])) for taker in takers]
    handles += [harness.do(waiter.add_task("")) for waiter in waiters]
    harness.work()
    assert {harness.do(handle.wait(5)).status for handle in handles} == {"success"}
