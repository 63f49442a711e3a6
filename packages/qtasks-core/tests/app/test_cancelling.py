"""Cancelling from outside: tasks that wait, and running ones of every kind."""

from __future__ import annotations

import asyncio
import importlib
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.exc import ServerUnavailableError, TaskCancelError, TaskCancelledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness

    from qtasks import AsyncTask, SyncTask

#: So short that the worker soon hears of what was asked.
LEASE = 0.3


@pytest.fixture
def harness(make_harness: Callable[..., Harness]) -> Harness:
    """A harness with a short lease."""
    return make_harness(lease=LEASE)


def cancelled(harness: Harness, handle: Any) -> None:
    """Checks how a task ended that was cancelled while it ran."""
    harness.do(handle.wait(60))
    assert (handle.status, handle.reason) == ("cancel", "enough")
    assert (handle.record.dead, handle.error, handle.attempts) == (False, None, 0)
    assert (handle.args, handle.returning) == ((handle.args[0],), None)
    with pytest.raises(TaskCancelledError, match="was cancelled: enough"):
        harness.do(handle.result())


def test_a_task_that_waits_never_runs(harness: Harness) -> None:
    ran = []

    @harness.app.task
    def work(how: str) -> None:
        ran.append(how)

    ready = harness.do(work.add_task("ready"))
    delayed = harness.do(work.add_task("delayed", delay=0.05))
    for handle in (ready, delayed):
        assert harness.do(harness.app.cancel(handle.id, "enough")) == "cancelled"
        cancelled(harness, handle)
    assert harness.do(harness.do(work.add_task("other")).refresh()).status == "new"
    harness.work()
    assert ran == ["other"]


def test_a_running_coroutine_is_cancelled(harness: Harness) -> None:
    seen = []

    @harness.app.task(echo=True)
    async def work(self: AsyncTask, x: int) -> int:
        try:
            # The worker may hear of it before the answer is here.
            assert await self.app.cancel(self.ctx.task_uuid, "enough") == "requested"
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            with pytest.raises(TaskCancelError) as caught:
                self.ctx.progress(1)
            seen.append(caught.value.args)
            raise
        return x

    handle = harness.do(work.add_task(1))
    harness.work()
    cancelled(harness, handle)
    assert seen == [("enough",)]


@pytest.mark.parametrize("call", ["sleep", "check", "progress", "get_task", "add_task"])
def test_a_thread_hears_of_it_at_its_next_call_and_its_result_is_refused(
    harness: Harness, call: str
) -> None:
    seen: list[Any] = []
    over = threading.Event()

    @harness.app.task(echo=True)
    def work(self: SyncTask, call: str) -> str:
        assert self.app.cancel(self.ctx.task_uuid, "enough") == "requested"
        try:
            if call == "sleep":
                self.ctx.sleep(600)
            while True:
                if call == "check":
                    self.ctx.check()
                elif call == "progress":
                    self.ctx.progress(1)
                elif call == "get_task":
                    self.ctx.get_task()
                else:
                    self.add_task("x", task_name="nobody", task_id=self.ctx.task_uuid)
                threading.Event().wait(0.005)
        except TaskCancelError as error:
            seen.append(error.args)
            return "late"
        finally:
            over.set()

    handle = harness.do(work.add_task(call))
    harness.work()
    cancelled(harness, handle)
    assert over.wait(60)
    assert seen == [("enough",)]
    cancelled(harness, harness.do(harness.app.get(handle.id)))


@pytest.mark.parametrize("call", ["get_task", "add_task"])
def test_a_call_that_ends_with_the_worker_says_that_the_run_is_over(
    call: str, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    over = threading.Event()

    @harness.app.task(echo=True)
    def work(self: SyncTask, x: int) -> None:
        app = self.app

        def ends(_: object) -> None:
            assert app.cancel(self.ctx.task_uuid, "enough") == "requested"
            with suppress(TaskCancelError):
                self.ctx.sleep(600)
            raise ServerUnavailableError

        for name in ("get", "_add"):
            monkeypatch.setattr(app, name, ends)
        try:
            self.add_task(x) if call == "add_task" else self.ctx.get_task()
        except TaskCancelError as error:
            seen.append(error.args)
        finally:
            over.set()

    handle = harness.do(work.add_task(1))
    harness.work()
    cancelled(harness, handle)
    assert over.wait(60)
    assert seen == [("enough",)]


def test_a_thread_that_asks_nothing_is_left_to_itself(harness: Harness) -> None:
    begun, gate, over = threading.Event(), threading.Event(), threading.Event()

    @harness.app.task
    def deaf(x: int) -> str:
        begun.set()
        gate.wait(60)
        over.set()
        return "late"

    @harness.app.task
    def other() -> str:
        return "not held up"

    @harness.app.task(echo=True)
    async def canceller(self: AsyncTask, task_id: str) -> None:
        await asyncio.to_thread(begun.wait, 60)
        assert await self.app.cancel(task_id, "enough") == "requested"

    handle = harness.do(deaf.add_task(1))
    harness.do(canceller.add_task(handle.id, priority=1))
    last = harness.do(other.add_task(priority=2))
    harness.work()
    cancelled(harness, handle)
    assert harness.do(last.result(5)) == "not held up"
    gate.set()
    assert over.wait(60)
    cancelled(harness, harness.do(harness.app.get(handle.id)))


def test_a_process_is_killed(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    place = tmp_path / "pid"
    module = importlib.import_module("cancelled_tasks")
    forever = harness.app.task(pool="process")(module.forever)

    @harness.app.task(echo=True)
    async def canceller(self: AsyncTask, task_id: str) -> None:
        while not (place.exists() and place.read_text()):
            await self.ctx.sleep(0.01)
        assert await self.app.cancel(task_id, "enough") == "requested"

    handle = harness.do(forever.add_task(str(place)))
    harness.do(canceller.add_task(handle.id))
    harness.work()
    cancelled(harness, handle)
    pid = int(place.read_text())
    for _ in range(6000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
        threading.Event().wait(0.01)
    else:
        pytest.fail(f"process {pid} lives on")


def test_a_thread_whose_time_is_over_hears_of_it(harness: Harness) -> None:
    seen = []
    over = threading.Event()

    @harness.app.task(echo=True, max_time=0.05)
    def work(self: SyncTask) -> None:
        try:
            self.ctx.sleep(600)
        except TaskCancelError as error:
            seen.append(error.args)
            raise
        finally:
            over.set()

    handle = harness.do(work.add_task())
    harness.work()
    assert harness.do(handle.wait(60)).error.type == "qtasks.exc.TaskTimeoutError"
    assert over.wait(60)
    assert seen == [("the run is over",)]
