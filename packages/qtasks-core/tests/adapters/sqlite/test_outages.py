"""A worker whose file is locked by somebody else, or goes away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.sqlite import opening
from qtasks.asyncio import QueueTasks
from qtasks.configs import QueueConfig
from qtasks.exc import ServerError, ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

#: Seconds after which a test gives up on what should have happened.
PATIENCE = 60.0


class Work:
    """An app with a task that runs until it may end.

    Attributes:
        started: set when the task runs.
        gate: lets it end.
        runs: how often it ran.
    """

    def __init__(self, url: str) -> None:
        self.app = QueueTasks(broker_url=url, config=QueueConfig(lease=30.0))
        self.started, self.gate, self.runs = asyncio.Event(), asyncio.Event(), 0

        @self.app.task
        async def long() -> str:
            self.runs += 1
            self.started.set()
            await self.gate.wait()
            return "done"

        self.long = long


@pytest.fixture
async def work(url: str) -> AsyncIterator[Work]:
    work = Work(url)
    yield work
    await work.app.close()


async def test_a_file_that_another_program_locks_is_waited_for(
    work: Work, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Adding says so; what runs goes on, and its outcome is written when the lock is gone."""
    monkeypatch.setattr(opening.patiently, "__defaults__", (0.05,))
    caplog.set_level(logging.INFO, "qtasks.worker")
    async with work.app.worker():
        handle = await work.long.add_task()
        await work.started.wait()
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(ServerUnavailableError, match=r"is busy .* try again"):
                await work.long.add_task()
            work.gate.set()
            await until(caplog, "The broker is away, its work waits")
            other.execute("ROLLBACK")
        assert await handle.result(timeout=PATIENCE) == "done"
        assert (await handle.refresh()).record.deliveries == 1
    assert work.runs == 1


@pytest.mark.parametrize("what", ["was deleted", "was replaced by another file"])
async def test_a_file_that_goes_away_ends_the_worker_loudly(
    work: Work, path: Path, what: str
) -> None:
    """Nothing it would do from here on would be seen by anybody."""
    worker = work.app.worker()
    running = asyncio.create_task(worker.run())
    await work.long.add_task()
    await work.started.wait()
    async with asyncio.timeout(PATIENCE):
        while not await work.app.workers():  # its keeper opens the file too, and would make it anew
            await asyncio.sleep(0.01)
    go_away(path, replaced="replaced" in what)

    work.gate.set()

    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ServerError, match=f"{path} {what} while it was in use: stop all"):
            await running
    with pytest.raises(ServerError, match=what):
        await work.long.add_task()


@pytest.mark.parametrize("what", ["was deleted", "was replaced by another file"])
async def test_who_only_looks_at_a_file_that_went_away_is_told(
    work: Work, path: Path, what: str
) -> None:
    """What is open would show the old figures for ever."""
    handle = await work.long.add_task()
    assert (await work.app.stats())[0].ready == 1
    go_away(path, replaced="replaced" in what)

    for look in (work.app.stats, handle.refresh, lambda: handle.result(timeout=0)):
        with pytest.raises(ServerError, match=f"{path} {what} while it was in use: stop all"):
            await look()


@pytest.mark.parametrize("what", ["was deleted", "was replaced by another file"])
async def test_an_idle_worker_notices_too(
    work: Work, path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks for work again now and then, as nobody wakes it any more."""
    monkeypatch.setattr("qtasks._worker.watcher._READY_WAIT", 0.05)
    running = asyncio.create_task(work.app.worker().run())
    handle = await work.long.add_task()
    work.gate.set()
    await handle.result(timeout=PATIENCE)

    go_away(path, replaced="replaced" in what)

    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ServerError, match=what):
            await running


def go_away(path: Path, *, replaced: bool) -> None:
    """Deletes a file, and puts another one at its place if that is asked for."""
    path.unlink()
    if replaced:
        path.touch()


async def until(log: pytest.LogCaptureFixture, words: str) -> Any:
    """Waits until somebody has said something."""
    async with asyncio.timeout(PATIENCE):
        while words not in log.text:
            await asyncio.sleep(0.01)
