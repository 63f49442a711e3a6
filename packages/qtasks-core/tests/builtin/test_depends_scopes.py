"""How long values live, who shares them, and what dependencies can ask for."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Annotated, Any

import pytest

from qtasks import Depends
from qtasks.contexts import AsyncContext, SyncContext
from qtasks.plugins.depends import ScopeEnum

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from conftest import Harness

pytestmark = pytest.mark.parametrize("url", ["memory"], indirect=True)

LONGER = [scope for scope in ScopeEnum if scope is not ScopeEnum.TASK]


@pytest.mark.parametrize("scope", [*LONGER, *map(str, LONGER)])
@pytest.mark.parametrize("awaits", [True, False])
def test_a_longer_scope_is_opened_once_and_closed_with_the_worker(
    harness: Harness, told: list[Any], scope: Any, awaits: bool
) -> None:
    async def open_async() -> AsyncIterator[object]:
        task = asyncio.current_task()
        told.append("open")
        yield told
        told.append("close")
        assert asyncio.current_task() is task

    def open_plain() -> Iterator[object]:
        thread = threading.current_thread()
        told.append("open")
        yield told
        told.append("close")
        assert threading.current_thread() is thread

    pool = open_async if awaits else open_plain

    @harness.app.task
    async def one(a: Depends(pool, scope=scope)) -> None:
        assert a is told
        told.append("run")

    @harness.app.task
    def two(a: Depends(pool, scope)) -> None:
        assert a is told
        told.append("run")

    for _ in range(2):
        handles = [harness.do(task.add_task()) for task in (one, two, one, two)]
        harness.work()
        assert {harness.do(handle.wait(timeout=10)).status for handle in handles} == {"success"}
        assert told == ["open", *["run"] * 4, "close"]
        told.clear()


@pytest.mark.parametrize(("scope", "opened"), [("worker", 2), ("broker", 1), ("storage", 1)])
def test_workers_of_one_loop_share_what_is_not_their_own(
    harness: Harness, told: list[Any], scope: str, opened: int
) -> None:
    async def pool() -> AsyncIterator[str]:
        told.append("open")
        yield "pool"
        told.append("close")

    both = asyncio.Barrier(2)

    @harness.app.task
    async def meet(a: Depends(pool, scope=scope)) -> None:
        await both.wait()

    async def work() -> None:
        async with harness.app.worker(), harness.app.worker():
            await both.wait()

    both = asyncio.Barrier(3)
    harness.app.config.max_tasks_process = 1
    harness.app.config.prefetch = 0
    for _ in range(2):
        harness.do(meet.add_task())
    asyncio.run(work())

    assert sorted(told) == ["close"] * opened + ["open"] * opened


def test_a_longer_scope_that_cannot_be_opened_is_tried_again(
    harness: Harness, told: list[Any]
) -> None:
    def pool() -> str:
        told.append("try")
        if len(told) == 1:
            raise ConnectionError
        return "pool"

    @harness.app.task
    def use(a: Depends(pool, scope="worker")) -> str:
        return a

    harness.app.config.max_tasks_process = 1
    handles = [harness.do(use.add_task()) for _ in range(3)]
    harness.work()

    ends = [harness.do(handle.wait(timeout=10)).status for handle in handles]
    assert sorted(ends) == ["error", "success", "success"]
    assert told == ["try", "try"]


class _Last(BaseException):
    """What is no ``Exception``."""


def _next_of_nothing() -> str:
    return next(iter(()))


async def _await_what_was_cancelled() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    task.cancel()
    await task


def _leave() -> None:
    raise SystemExit(3)


async def _last() -> None:
    raise _Last


@pytest.mark.parametrize("scope", ["task", "worker", "broker"])
@pytest.mark.parametrize(
    ("fail", "error"),
    [
        (_next_of_nothing, "RuntimeError"),
        (_await_what_was_cancelled, "CancelledError"),
        (_leave, "SystemExit"),
        (_last, "_Last"),
    ],
)
def test_whatever_an_opening_raises_fails_the_task_and_nothing_else(
    harness: Harness, run: Any, scope: str, fail: Any, error: str
) -> None:
    @harness.app.task
    async def use(a: Depends(fail, scope=scope)) -> None: ...

    assert [run(use).error.type.rpartition(".")[2] for _ in range(2)] == [error] * 2


def test_a_worker_that_stops_waits_for_no_opening(
    harness: Harness, told: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def first() -> AsyncIterator[None]:
        yield
        told.append("close")

    async def never(a: Depends(first, scope="worker")) -> None:
        harness.app.stop()
        try:
            await asyncio.Event().wait()
        finally:
            told.append("given up")

    @harness.app.task
    async def use(a: Depends(never, scope="worker")) -> None: ...

    harness.app.config.shutdown_timeout = 0
    handle = harness.do(use.add_task())
    harness.app.run_forever()

    assert told == ["given up", "close"]
    assert harness.do(handle.refresh()).status == "new"
    assert not caplog.records or max(line.levelno for line in caplog.records) < logging.ERROR


@pytest.mark.usefixtures("url")
def test_a_plain_opening_that_never_ends_keeps_no_process_from_ending() -> None:
    code = """
import threading
from qtasks import Depends, QueueTasks

app = QueueTasks(broker_url="memory://", plugins=[])
app.config.shutdown_timeout = 0

def never():
    app.stop()
    threading.Event().wait()

@app.task
def use(a: Depends(never, scope="worker")): ...

use.add_task()
app.run_forever()
print("over")
"""
    # Long patience, for it is ended by nothing else if it fails.
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "over\n"), ended.stderr


def test_runs_that_wait_for_the_same_opening_share_its_failure(
    harness: Harness, told: list[Any]
) -> None:
    number = 20
    all_there = asyncio.Event()

    async def arrive() -> None:
        told.append("arrive")
        if told.count("arrive") == number:
            asyncio.get_running_loop().call_soon(all_there.set)

    async def pool() -> str:
        told.append("try")
        await all_there.wait()
        raise ConnectionError("nobody there")  # noqa: EM101, TRY003 - as users write it

    @harness.app.task
    async def use(here: Depends(arrive), a: Depends(pool, scope="worker")) -> None: ...

    handles = [harness.do(use.add_task()) for _ in range(number)]
    harness.work()

    ends = [harness.do(handle.wait(timeout=10)) for handle in handles]
    assert {end.error.message for end in ends} == {"nobody there"}
    assert len({end.traceback for end in ends}) == 1
    assert told.count("try") == 1


def test_dependencies_need_others_and_share_them_within_a_run(
    harness: Harness, run: Any, told: list[Any]
) -> None:
    def get_url(config: Any) -> str:
        told.append("url")
        return f"{config.max_tasks_process}"

    async def get_pool(url: Annotated[str, Depends(get_url, scope="worker")]) -> list[str]:
        told.append("pool")
        return [url]

    def get_db(pool: Depends(get_pool, "worker"), /, size: int = 7) -> Iterator[Any]:
        told.append("db")
        yield [*pool, size]
        told.append("close")

    class Repository:
        def __init__(self, db: Depends(get_db), *, other: Depends(get_db)) -> None:
            self.db = db
            self.same = db is other

    @harness.app.task
    async def use(repo: Depends(Repository), db: Depends(get_db)) -> list[Any]:
        return [repo.db, repo.same, repo.db is db]

    size = str(harness.app.config.max_tasks_process)
    assert run(use).returning == [[size, 7], True, True]
    assert told == ["url", "pool", "db", "close"]


@pytest.mark.parametrize("plain", [True, False])
def test_a_dependency_gets_the_context_in_its_own_colour(
    harness: Harness, run: Any, told: list[Any], plain: bool
) -> None:
    def by_name(ctx: Any) -> Iterator[str]:
        assert isinstance(ctx, SyncContext)
        yield str(ctx.task_uuid)
        ctx.get_logger().info("still there")
        told.append("closed")

    async def by_type(context: AsyncContext) -> str:
        assert (await context.get_metadata()).status == "process"
        return context.task_name

    if plain:

        @harness.app.task
        def look(a: Depends(by_name), b: Depends(by_type)) -> list[str]:
            return [a, b]

    else:

        @harness.app.task
        async def look(a: Depends(by_name), b: Depends(by_type)) -> list[str]:
            return [a, b]

    handle = run(look)
    assert handle.returning == [handle.id, "look"]
    assert told == ["closed"]


def test_inline_mode_closes_longer_scopes_when_it_ends(harness: Harness, told: list[Any]) -> None:
    async def pool() -> AsyncIterator[str]:
        told.append("open")
        yield "pool"
        told.append("close")

    @harness.app.task
    def use(a: Depends(pool, "worker")) -> str:
        return a

    if harness.colour == "sync":
        with harness.app.inline():
            assert use.add_task().returning == use.add_task().returning == "pool"
            assert told == ["open"]
    else:

        async def inside() -> None:
            async with harness.app.inline():
                assert (await use.add_task()).returning == "pool"
                assert (await use.add_task()).returning == "pool"
                assert told == ["open"]

        harness.do(inside())
    assert told == ["open", "close"]
