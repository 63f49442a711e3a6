"""What is opened for a run is closed when its result is fixed, however it ended."""

# Exceptions are raised as users raise them.
# ruff: noqa: EM101, TRY003

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from qtasks import Depends  # noqa: TC001 - annotations are evaluated
from qtasks.exc import Discard, RetryLater, TaskCancelError
from qtasks.plugins import Plugin, on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from conftest import Harness

pytestmark = pytest.mark.parametrize("url", ["memory"], indirect=True)

WORD: ContextVar[str] = ContextVar("word", default="nothing")


def opener(told: list[Any], name: str, *, awaits: bool) -> Any:
    """Makes a dependency that tells what is thrown into it."""

    @asynccontextmanager
    async def open_async() -> AsyncIterator[str]:
        told.append(f"open {name}")
        try:
            yield name
        except BaseException as error:
            told.append(f"{name} sees {type(error).__name__}")
            raise
        finally:
            told.append(f"close {name}")

    @contextmanager
    def open_plain() -> Iterator[str]:
        told.append(f"open {name}")
        try:
            yield name
        except BaseException as error:
            told.append(f"{name} sees {type(error).__name__}")
            raise
        finally:
            told.append(f"close {name}")

    return open_async if awaits else open_plain


RAISED = {
    "ValueError": (ValueError("no"), "error"),
    "TaskCancelError": (TaskCancelError("enough"), "cancel"),
    "Discard": (Discard("enough"), "cancel"),
    "SystemExit": (SystemExit(3), "error"),
}


@pytest.mark.parametrize("awaits", [True, False])
@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("raised", RAISED)
def test_what_a_task_raises_is_thrown_into_what_is_open(  # noqa: PLR0917 - fixtures
    harness: Harness, run: Any, told: list[Any], awaits: bool, plain: bool, raised: str
) -> None:
    error, status = RAISED[raised]
    first = opener(told, "first", awaits=awaits)
    second = opener(told, "second", awaits=not awaits)

    if plain:

        @harness.app.task
        def fail(a: Depends(first), b: Depends(second)) -> None:
            raise error

    else:

        @harness.app.task
        async def fail(a: Depends(first), b: Depends(second)) -> None:
            raise error

    assert run(fail).status == status
    assert told == [
        "open first",
        "open second",
        f"second sees {raised}",
        "close second",
        f"first sees {raised}",
        "close first",
    ]


@pytest.mark.parametrize("awaits", [True, False])
def test_a_coroutine_that_overruns_is_closed(
    harness: Harness, run: Any, told: list[Any], awaits: bool
) -> None:
    @harness.app.task(max_time=0.05)
    async def overrun(a: Depends(opener(told, "it", awaits=awaits))) -> None:
        await asyncio.Event().wait()

    assert run(overrun).error.type == "qtasks.exc.TaskTimeoutError"
    assert told == ["open it", "it sees TaskTimeoutError", "close it"]


@pytest.mark.parametrize("awaits", [True, False])
def test_a_thread_that_overruns_is_left_alone_and_its_dependencies_are_closed(
    harness: Harness, run: Any, told: list[Any], awaits: bool
) -> None:
    let_go = threading.Event()

    @harness.app.task(max_time=0.2)
    def overrun(a: Depends(opener(told, "it", awaits=awaits))) -> None:
        let_go.wait(30)

    try:
        assert run(overrun).error.type == "qtasks.exc.TaskTimeoutError"
    finally:
        let_go.set()
    assert told == ["open it", "it sees TaskTimeoutError", "close it"]


def test_opening_counts_as_time_of_the_task(harness: Harness, run: Any, told: list[Any]) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    @harness.app.task(max_time=0.05)
    def wait(a: Depends(opener(told, "it", awaits=True)), b: Depends(never)) -> None: ...

    assert run(wait).error.type == "qtasks.exc.TaskTimeoutError"
    assert told == ["open it", "it sees TaskTimeoutError", "close it"]


def test_a_cancelled_run_is_closed(harness: Harness, told: list[Any]) -> None:
    @harness.app.task
    async def wait(a: Depends(opener(told, "it", awaits=True))) -> None:
        harness.app.stop()
        await asyncio.Event().wait()

    harness.app.config.shutdown_timeout = 0.05
    harness.do(wait.add_task())
    harness.app.run_forever()

    assert told == ["open it", "it sees CancelledError", "close it"]


def test_what_was_opened_is_closed_if_the_next_one_fails(
    harness: Harness, run: Any, told: list[Any]
) -> None:
    def fail() -> None:
        raise LookupError("nothing there")

    @harness.app.task
    async def never(a: Depends(opener(told, "it", awaits=True)), b: Depends(fail)) -> None:
        told.append("run")

    assert run(never).error.message == "nothing there"
    assert told == ["open it", "it sees LookupError", "close it"]


def test_a_close_that_fails_is_logged_and_changes_nothing(
    harness: Harness, run: Any, told: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def bad() -> AsyncIterator[str]:
        yield "bad"
        raise OSError("the server is gone")

    async def twice() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    good = opener(told, "good", awaits=True)

    @harness.app.task
    async def work(a: Depends(good), b: Depends(bad), c: Depends(twice)) -> str:
        return a + b + c

    handle = run(work)

    assert handle.returning == "goodbada"
    assert told == ["open good", "close good"]
    failed = [line for line in caplog.records if line.name == "qtasks.depends"]
    assert [line.levelno for line in failed] == [logging.ERROR] * 2
    assert f"bad of work {handle.id} failed" in failed[1].getMessage()
    assert "twice" in failed[0].getMessage()


@pytest.mark.parametrize("scope", ["task", "worker"])
def test_a_close_that_awaits_what_it_has_cancelled_just_fails(
    harness: Harness, run: Any, told: list[Any], caplog: pytest.LogCaptureFixture, scope: str
) -> None:
    async def beat() -> AsyncIterator[None]:
        heart = asyncio.create_task(asyncio.Event().wait())
        yield
        heart.cancel()
        await heart

    @harness.app.task
    async def work(
        a: Depends(opener(told, "good", awaits=True), scope), b: Depends(beat, scope)
    ) -> None: ...

    assert run(work).status == "success"
    assert told == ["open good", "close good"]
    assert [line.name for line in caplog.records if line.levelno >= logging.ERROR] == [
        "qtasks.depends"
    ]
    assert "Closing beat of" in caplog.text
    assert "failed" in caplog.text


def test_an_exception_cannot_be_swallowed(harness: Harness, run: Any) -> None:
    @contextmanager
    def swallow() -> Iterator[None]:
        try:
            yield
        except ValueError:
            return

    @harness.app.task
    def fail(a: Depends(swallow)) -> None:
        raise ValueError("still there")

    assert run(fail).error.message == "still there"


def test_a_result_that_cannot_be_stored_is_an_error_to_what_is_open(
    harness: Harness, run: Any, told: list[Any]
) -> None:
    @harness.app.task
    async def give(a: Depends(opener(told, "it", awaits=True))) -> Any:
        return object()

    assert run(give).error.type == "qtasks.exc.EncodeError"
    assert told == ["open it", "it sees EncodeError", "close it"]


def test_a_retried_task_opens_and_closes_with_each_attempt(
    harness: Harness, run: Any, told: list[Any]
) -> None:
    @harness.app.task(echo=True)
    async def again(self: Any, a: Depends(opener(told, "it", awaits=True))) -> str:
        if self.ctx.attempt == 1:
            raise RetryLater(0)
        return a

    assert run(again).returning == "it"
    assert told == ["open it", "it sees RetryLater", "close it", "open it", "close it"]


def test_no_task_closes_what_belongs_to_another(harness: Harness, told: list[Any]) -> None:
    slow_runs, fast_ended = asyncio.Event(), asyncio.Event()

    class Watch(Plugin):
        @on("worker_outcome")
        def ended(self, task_broker: Any) -> None:
            if task_broker.message.task == "fast":
                fast_ended.set()

    harness.app.add_plugin(Watch())

    @harness.app.task
    async def slow(a: Depends(opener(told, "slow", awaits=True))) -> None:
        slow_runs.set()
        await fast_ended.wait()
        told.append("slow goes on")

    @harness.app.task
    async def fast(a: Depends(opener(told, "fast", awaits=True))) -> None:
        await slow_runs.wait()

    harness.do(slow.add_task())
    harness.do(fast.add_task())
    harness.work()

    assert told == ["open slow", "open fast", "close fast", "slow goes on", "close slow"]


def test_plain_code_of_a_plain_task_shares_its_thread(
    harness: Harness, run: Any, told: list[Any]
) -> None:
    local = threading.local()

    def open_local() -> Iterator[int]:
        local.value = 42
        told.append(threading.current_thread().name)
        yield 1
        assert local.value == 42
        told.append(threading.current_thread().name)

    @harness.app.task
    def work(a: Depends(open_local)) -> int:
        told.append(threading.current_thread().name)
        value: int = local.value
        return value

    assert run(work).returning == 42
    assert len(set(told)) == 1
    assert len(told) == 3
    assert told[0].startswith("qtasks-task")


@pytest.mark.parametrize("pool", [None, "loop"])
def test_plain_code_of_a_coroutine_runs_in_a_thread_or_on_the_loop(
    harness: Harness, run: Any, told: list[Any], pool: Any
) -> None:
    def open_plain() -> Iterator[int]:
        told.append(threading.current_thread().name)
        yield 1
        told.append(threading.current_thread().name)

    @harness.app.task
    async def work(a: Depends(open_plain, pool=pool)) -> str:
        return threading.current_thread().name

    loop = run(work).returning
    if pool == "loop":
        assert told == [loop, loop]
    else:
        assert all(name.startswith("qtasks-task") for name in told)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("awaits", [True, False])
def test_context_variables_reach_the_task(
    harness: Harness, run: Any, plain: bool, awaits: bool
) -> None:
    if awaits:

        async def say() -> AsyncIterator[None]:
            token = WORD.set("something")
            yield
            WORD.reset(token)

    else:

        def say() -> Iterator[None]:  # type: ignore[misc]  # of the other colour
            WORD.set("something")
            yield

    if plain:

        @harness.app.task
        def look(a: Depends(say)) -> str:
            return WORD.get()

    else:

        @harness.app.task
        async def look(a: Depends(say)) -> str:
            return WORD.get()

    assert run(look).returning == "something"
    assert WORD.get() == "nothing"


@pytest.mark.parametrize("plain", [True, False])
def test_inline_mode_opens_and_closes(harness: Harness, told: list[Any], plain: bool) -> None:
    it = opener(told, "it", awaits=not plain)

    @harness.app.task
    async def work(a: Depends(it)) -> str:
        return a

    @harness.app.task
    def plain_work(a: Depends(it)) -> str:
        return a

    task = plain_work if plain else work
    if harness.colour == "sync":
        with harness.app.inline():
            assert task.add_task().returning == "it"
    else:

        async def inside() -> Any:
            async with harness.app.inline():
                return (await task.add_task()).returning

        assert harness.do(inside()) == "it"
    assert told == ["open it", "close it"]
