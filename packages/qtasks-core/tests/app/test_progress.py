"""Progress: said by a running task, shown by its handles."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.asyncio import QueueTasks
from qtasks.brokers import MemoryBroker
from qtasks.exc import ServerUnavailableError
from qtasks.storages import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conftest import Harness

    from qtasks import AsyncTask, SyncTask
    from qtasks.schemas import Progressed


@pytest.mark.parametrize("kind", ["coroutine", "function"])
def test_progress_is_shown_while_the_task_runs_and_afterwards(harness: Harness, kind: str) -> None:
    @harness.app.task(echo=True, name="coroutine")
    async def coroutine(self: AsyncTask) -> list[Any]:
        self.ctx.progress(1, 3, "begun")
        shown = None
        while shown is None:
            await self.ctx.sleep(0.001)
            shown = (await self.ctx.get_task()).progress
        self.ctx.progress(2, 3)
        self.ctx.progress(3, 3, "done")
        return [shown.done, shown.total, shown.note]

    @harness.app.task(echo=True, name="function")
    def function(self: SyncTask) -> list[Any]:
        self.ctx.progress(1, 3, "begun")
        shown = None
        while shown is None:
            self.ctx.sleep(0.001)
            shown = self.ctx.get_task().progress
        self.ctx.progress(2, 3)
        self.ctx.progress(3, 3, "done")
        return [shown.done, shown.total, shown.note]

    task = {"coroutine": coroutine, "function": function}[kind]
    before = datetime.now(UTC)
    handle = harness.do(task.add_task())
    assert handle.progress is None
    harness.work()
    assert harness.do(handle.result(5)) == [1, 3, "begun"]
    found = harness.do(harness.app.get(handle.id)).progress
    assert (found.done, found.total, found.note, found.fraction) == (3, 3, "done", 1.0)
    assert abs((found.at - before).total_seconds()) < 60
    listed, _ = harness.do(harness.app.list_tasks())
    assert [one.progress for one in listed] == [found]
    assert handle.progress == found


def test_progress_of_a_failure_is_kept_until_it_is_requeued(harness: Harness) -> None:
    @harness.app.task(echo=True)
    def function(self: SyncTask) -> None:
        self.ctx.progress(0.5, note="x" * 1000)
        msg = "no luck"
        raise ValueError(msg)

    handle = harness.do(function.add_task())
    harness.work()
    found = harness.do(handle.wait(5)).progress
    assert (found.done, found.total, found.fraction, len(found.note)) == (0.5, None, None, 500)
    assert harness.do(harness.app.requeue([handle.id])) == [handle.id]
    assert harness.do(handle.refresh()).progress is None


def test_what_is_no_number_is_refused(harness: Harness) -> None:
    @harness.app.task(echo=True)
    def function(self: SyncTask) -> list[str]:
        messages = []
        bad: list[tuple[Any, Any]] = [
            ("1", None),
            (-1, None),
            (1, -2),
            (float("nan"), 1),
            (2**64, 1),
        ]
        for done, total in bad:
            with pytest.raises(ValueError, match="use a number from 0 up") as caught:
                self.ctx.progress(done, total)
            messages.append(str(caught.value))
        return messages

    handle = harness.do(function.add_task())
    harness.work()
    messages = harness.do(handle.result(5))
    assert messages[0] == "progress(done='1'): use a number from 0 up"
    assert messages[2] == "progress(total=-2): use a number from 0 up"
    assert harness.do(handle.refresh()).progress is None


def test_what_cannot_be_read_is_shown_as_nothing(harness: Harness) -> None:
    handle = harness.do(harness.app.add_task("x"))
    handle.record = msgspec.structs.replace(handle.record, progress=b"\xc1")
    assert handle.progress is None


class Counting(MemoryStorage):
    """Counts the calls, and fails when it is told to."""

    calls: list[list[Progressed]]
    failing = False

    async def progress(self, entries: Sequence[Progressed]) -> None:
        self.calls.append(list(entries))
        if self.failing:
            msg = "away"
            raise ServerUnavailableError(msg)
        await super().progress(entries)


def make_app(*, failing: bool = False) -> tuple[QueueTasks, Counting]:
    storage = Counting()
    storage.calls, storage.failing = [], failing
    return QueueTasks(broker=MemoryBroker(), storage=storage), storage


async def test_many_reports_of_many_tasks_are_few_calls() -> None:
    app, storage = make_app()

    @app.task(echo=True)
    async def coroutine(self: AsyncTask) -> None:
        for number in range(1000):
            self.ctx.progress(number, 1000)
            await asyncio.sleep(0)

    handles = await app.add_tasks([coroutine.build() for _ in range(20)])
    await app.worker(burst=True).run(signals=False)
    # The first and the last word of each, at the worst, and what a second allows.
    assert len(storage.calls) < 100
    assert max(map(len, storage.calls)) > 1
    for handle in handles:
        progress = (await handle.refresh()).progress
        assert progress is not None
        assert progress.done == 999


async def test_a_storage_that_is_away_costs_a_line_and_no_task(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app, storage = make_app(failing=True)

    @app.task(echo=True)
    async def coroutine(self: AsyncTask) -> str:
        self.ctx.progress(1)
        return "done"

    handles = await app.add_tasks([coroutine.build() for _ in range(3)])
    await app.worker(burst=True).run(signals=False)
    assert [await handle.result(5) for handle in handles] == ["done"] * 3
    assert len(storage.calls) >= 1
    lines = [r.getMessage() for r in caplog.records if "Progress" in r.getMessage()]
    assert lines == ["Progress cannot be stored at the moment: away"]
