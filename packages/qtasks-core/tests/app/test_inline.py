"""Inline mode: tasks run where they are added, as they would in a worker, for users' own tests."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from qtasks import INJECTED
from qtasks.exc import (
    Discard,
    EncodeError,
    Reject,
    RetryLater,
    Snooze,
    TaskArgumentsError,
    TaskCancelledError,
    TaskFailedError,
    UnknownTaskError,
    WaitTimeoutError,
)
from qtasks.middlewares import TaskMiddleware
from qtasks.plugins import BasePlugin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Harness

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)

word: contextvars.ContextVar[str] = contextvars.ContextVar("word", default="none")


@contextmanager
def inline(harness: Harness, **options: Any) -> Iterator[Any]:
    """Enters inline mode of an app of either colour."""
    mode = harness.app.inline(**options)
    if harness.colour == "sync":
        with mode:
            yield mode
        return
    harness.do(mode.__aenter__())
    try:
        yield mode
    finally:
        harness.do(mode.__aexit__(None, None, None))


def plain(x: int, y: int = 1) -> list[int]:
    return [x, y]


async def coroutine(x: int, y: int = 1) -> list[int]:
    await asyncio.sleep(0)
    return [x, y]


def where() -> int:
    return threading.get_ident()


def odd() -> object:
    return object()


def fail(text: str) -> None:
    raise KeyError(text)


async def fail_async(text: str) -> None:
    raise KeyError(text)


both = pytest.mark.parametrize("function", [plain, coroutine])


@both
def test_a_task_is_over_when_it_was_added(harness: Harness, function: Any) -> None:
    task = harness.app.task(function)

    with inline(harness):
        handle = harness.do(task.add_task(2, y=3))

        assert handle.status == "success"
        assert handle.returning == [2, 3]
        assert handle.attempts == 0
        assert harness.do(handle.result()) == [2, 3]
        assert harness.do(harness.app.get(handle.id)).returning == [2, 3]
        assert harness.do(harness.app.stats())[0].finished == 1


@both
def test_the_server_of_the_app_hears_nothing(harness: Harness, function: Any) -> None:
    task = harness.app.task(function)
    before = harness.do(task.add_task(1))

    with inline(harness):
        handle = harness.do(task.add_task(2))
        assert harness.do(harness.app.get(before.id)) is None

    assert harness.do(harness.app.get(handle.id)) is None
    assert harness.do(before.refresh()).status == "new"
    assert harness.do(harness.app.stats())[0].ready == 1


def test_every_way_to_add_runs(harness: Harness) -> None:
    task = harness.app.task(plain)

    with inline(harness):
        handles = harness.do(harness.app.add_tasks([task.build(1), task.build(2)]))
        handles.append(harness.do(harness.app.add_task("plain", 3)))
        handles.append(harness.do(task.options(priority=-1, queue="other").add_task(4)))
        handles.append(harness.do(task.add_task(5, timeout=10)))
        ended = harness.collect(harness.app.as_completed(handles))

    assert [handle.returning for handle in handles] == [[n, 1] for n in range(1, 6)]
    assert len(ended) == 5


def test_arguments_and_results_are_encoded_as_for_a_worker(harness: Harness) -> None:
    given: list[Any] = [[1]]

    @harness.app.task
    def change(value: Any) -> Any:
        value.append(2)
        return value

    with inline(harness):
        handle = harness.do(change.add_task(given[0]))
        with pytest.raises(EncodeError, match="change"):
            harness.do(change.add_task(object()))
        with pytest.raises(TaskArgumentsError, match="missing a required argument"):
            harness.do(change.add_task())

    assert given == [[1]]
    assert handle.returning == [1, 2]


def test_a_result_that_cannot_be_encoded_fails_the_task(harness: Harness) -> None:
    task = harness.app.task(odd)

    with inline(harness):
        handle = harness.do(task.add_task())

    assert handle.status == "error"
    assert handle.error.type == "qtasks.exc.EncodeError"


@pytest.mark.parametrize("function", [fail, fail_async])
def test_an_error_ends_in_the_handle(harness: Harness, function: Any) -> None:
    task = harness.app.task(function)

    with inline(harness):
        handle = harness.do(task.add_task("key"))

        assert handle.status == "error"
        assert handle.error.type == "builtins.KeyError"
        assert "raise KeyError(text)" in handle.traceback
        with pytest.raises(TaskFailedError, match="KeyError: 'key'"):
            harness.do(handle.result())
        assert len(harness.do(harness.app.list_tasks(dead=True))[0]) == 1


@pytest.mark.parametrize("function", [fail, fail_async])
def test_with_raises_the_error_reaches_the_caller(harness: Harness, function: Any) -> None:
    task = harness.app.task(function)

    with inline(harness, raises=True), pytest.raises(KeyError, match="key") as caught:
        harness.do(task.add_task("key"))

    assert caught.traceback[-1].name == function.__name__


@pytest.mark.parametrize(
    ("control", "raised"),
    [(Discard("no need"), TaskCancelledError), (Reject("never"), TaskFailedError)],
)
def test_with_raises_other_ends_are_told_as_by_result(
    harness: Harness, control: Exception, raised: type[Exception]
) -> None:
    @harness.app.task
    def end() -> None:
        raise control

    with inline(harness, raises=True), pytest.raises(raised, match=control.args[0] or "no need"):
        harness.do(end.add_task())


def test_plain_functions_of_a_sync_app_run_in_the_calling_thread(harness: Harness) -> None:
    task = harness.app.task(where)

    with inline(harness):
        ident = harness.do(task.add_task()).returning

    assert (ident == threading.get_ident()) is (harness.colour == "sync")


@both
def test_pool_processes_are_not_started(harness: Harness, function: Any) -> None:
    task = harness.app.task(pool="process")(plain)

    with inline(harness):
        assert harness.do(task.add_task(7)).returning == [7, 1]


@pytest.mark.parametrize("outer_is_plain", [True, False])
@both
def test_tasks_add_tasks(harness: Harness, function: Any, outer_is_plain: bool) -> None:
    inner = harness.app.task(function)
    parents = []

    def outer() -> Any:
        handle = inner.add_task(5)
        parents.append(handle.record.parent_id)
        return handle.returning

    async def outer_in_async() -> Any:
        handle = await inner.add_task(5)
        parents.append(handle.record.parent_id)
        return handle.returning

    async def outer_that_blocks() -> Any:
        return outer()

    if harness.colour == "async":
        task = harness.app.task(outer_in_async)
    else:
        task = harness.app.task(outer if outer_is_plain else outer_that_blocks)

    with inline(harness, raises=True):
        handle = harness.do(task.add_task())

    assert handle.returning == [5, 1]
    assert parents == [handle.id]


def test_an_error_of_an_inner_task_with_raises_fails_the_outer_one(harness: Harness) -> None:
    inner = harness.app.task(fail)

    def outer() -> None:
        inner.add_task("deep")

    async def outer_async() -> None:
        await inner.add_task("deep")

    task = harness.app.task(outer if harness.colour == "sync" else outer_async)

    with inline(harness, raises=True), pytest.raises(KeyError, match="deep"):
        harness.do(task.add_task())


def test_what_a_task_sets_in_its_context_stays_there(harness: Harness) -> None:
    @harness.app.task
    async def change() -> str:
        before = word.get()
        word.set("task")
        return before

    word.set("caller")
    with inline(harness):
        seen = harness.do(change.add_task()).returning

    assert word.get() == "caller"
    if harness.colour == "sync":
        assert seen == "caller"


@both
def test_delays_are_over_at_once(harness: Harness, function: Any) -> None:
    task = harness.app.task(function)

    with inline(harness):
        handle = harness.do(task.options(delay=timedelta(days=30)).add_task(1))
        other = harness.do(task.add_task(1))

    assert handle.returning == [1, 1]
    assert handle.started_at >= handle.created_at + timedelta(days=30)
    assert other.created_at >= handle.finished_at


def test_with_delays_tasks_wait_for_advance(harness: Harness) -> None:
    task = harness.app.task(plain)

    with inline(harness, delays=True) as mode:
        handle = harness.do(task.options(delay=60).add_task(1))
        with pytest.raises(WaitTimeoutError):
            harness.do(handle.wait())
        harness.do(mode.advance(59))
        assert harness.do(handle.refresh()).status == "new"
        harness.do(mode.advance(timedelta(seconds=2)))
        assert harness.do(handle.refresh()).returning == [1, 1]
        with pytest.raises(ValueError, match=r"advance\(-1\): time does not go backwards"):
            harness.do(mode.advance(-1))


def test_with_delays_and_raises_advance_raises(harness: Harness) -> None:
    task = harness.app.task(fail)

    with inline(harness, delays=True, raises=True) as mode:
        harness.do(task.options(delay=60).add_task("late"))
        with pytest.raises(KeyError, match="late"):
            harness.do(mode.advance(60))


def test_a_task_that_is_to_run_again_does(harness: Harness) -> None:
    runs: list[int] = []

    @harness.app.task
    def third_time() -> int:
        runs.append(1)
        if len(runs) < 3:
            raise RetryLater(30)
        return len(runs)

    with inline(harness, raises=True):
        handle = harness.do(third_time.add_task())

    assert handle.returning == 3
    assert handle.attempts == 2
    assert [entry.outcome for entry in handle.history] == ["retry", "retry", "success"]


def test_a_task_that_never_ends_is_found(harness: Harness) -> None:
    @harness.app.task
    def again() -> None:
        raise Snooze(60)

    with inline(harness), pytest.raises(RuntimeError, match=r"ran 100 times at once and is not"):
        harness.do(again.add_task())


def test_a_task_that_expires_before_its_delay_is_over_is_cancelled(harness: Harness) -> None:
    task = harness.app.task(plain)

    with inline(harness):
        handle = harness.do(task.options(delay=60, expires=30).add_task(1))

    assert (handle.status, handle.reason) == ("cancel", "expired")


def test_a_result_that_is_not_kept_is_forgotten(harness: Harness) -> None:
    task = harness.app.task(store_result=False)(plain)

    with inline(harness):
        handle = harness.do(task.add_task(1))

        assert handle.status == "success"
        assert handle.returning is None
        with pytest.raises(UnknownTaskError):
            harness.do(handle.refresh())


def test_max_time_holds(harness: Harness) -> None:
    @harness.app.task(max_time=0.01)
    async def forever() -> None:
        await asyncio.Event().wait()

    with inline(harness):
        handle = harness.do(forever.add_task())

    assert handle.error.type == "qtasks.exc.TaskTimeoutError"


def test_a_plain_function_that_took_too_long_has_no_result(harness: Harness) -> None:
    @harness.app.task(max_time=0.01)
    def slow() -> str:
        threading.Event().wait(0.5)
        return "late"

    with inline(harness):
        handle = harness.do(slow.add_task())

    assert handle.error.type == "qtasks.exc.TaskTimeoutError"


class Recorder(BasePlugin):
    """Notes triggers; async."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    async def start(self, *args: Any, **kwargs: Any) -> None:
        self.names.append("start")

    async def stop(self, *args: Any, **kwargs: Any) -> None:
        self.names.append("stop")

    async def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        self.names.append(name)
        return {"kw": {**kwargs["kw"], "y": 9}} if name == "task_executor_args_replace" else None


@both
def test_plugins_and_events_are_told(harness: Harness, function: Any) -> None:
    recorder, events = Recorder(), []
    harness.app.add_plugin(recorder)
    harness.app.events.on.task_success(lambda task_broker: events.append(task_broker.id))
    task = harness.app.task(function)

    with inline(harness):
        handle = harness.do(task.add_task(1))

        assert events == [handle.id]

    assert handle.returning == [1, 9]
    assert recorder.names == [
        "start",
        "broker_start",
        "storage_start",
        "global_config_start",
        "qtasks_add_task_before_broker",
        "broker_add_before",
        "storage_add",
        "qtasks_publish",
        "broker_add_after",
        "qtasks_add_task_after_broker",
        "broker_add_worker",
        "worker_add",
        "storage_add_process",
        "worker_run_task_before",
        "worker_execute_before",
        "task_executor_args_replace",
        "task_executor_fill",
        "task_executor_execute",
        "task_executor_before_execute",
        "task_executor_run_task",
        "task_executor_after_execute",
        "task_executor_after_execute_result_replace",
        "task_executor_decode",
        "worker_remove_finished_task",
        "broker_remove_finished_task",
        "broker_update",
        "storage_update",
        "task_executor_task_close",
        "storage_remove_finished_task",
        "worker_execute_after",
        "worker_outcome",
        "global_config_stop",
        "storage_stop",
        "broker_stop",
        "stop",
    ]


class AddsAsync(TaskMiddleware):
    """Adds a plain task, in the middle of the run of another one."""

    add: Any = None

    async def __call__(self, *args: Any, **kwargs: Any) -> None:
        self.task_executor.kwargs = {"y": (await type(self).add()).returning}


class Where(TaskMiddleware):
    """Notes the thread."""

    idents: ClassVar[list[int]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        self.idents.append(threading.get_ident())


def test_middlewares_run_as_in_a_worker(harness: Harness) -> None:
    inner = harness.app.task(name="inner")(lambda: "inner")

    async def add() -> Any:
        if harness.colour == "async":
            return await inner.add_task()
        return await asyncio.to_thread(inner.add_task)

    AddsAsync.add = add
    Where.idents.clear()
    task = harness.app.task(
        middlewares_before=[Where, AddsAsync], middlewares_after=[Where], max_time=20
    )(plain)

    with inline(harness, raises=True):
        handle = harness.do(task.add_task(1))

    assert handle.returning == [1, "inner"]
    assert len(set(Where.idents)) == 1
    assert (Where.idents[0] == threading.get_ident()) is (harness.colour == "sync")


@pytest.mark.parametrize("colour", ["sync"], indirect=True)
def test_an_interrupt_is_for_the_thread_that_waits(harness: Harness) -> None:
    @harness.app.task
    def interrupted() -> None:
        raise KeyboardInterrupt

    task = harness.app.task(plain)

    with inline(harness):
        with pytest.raises(KeyboardInterrupt):
            interrupted.add_task()
        assert task.add_task(1).status == "success"


def test_an_injected_parameter_that_nobody_fills_in_fails(harness: Harness) -> None:
    @harness.app.task
    def needs(session: Any = INJECTED) -> None: ...

    with inline(harness, raises=True), pytest.raises(TaskArgumentsError, match="session"):
        harness.do(needs.add_task())


def test_a_task_of_another_program_waits_for_it(harness: Harness) -> None:
    task = harness.app.task(plain)

    with inline(harness):
        handle = harness.do(harness.app.add_task("elsewhere", 1))
        assert harness.do(task.add_task(1)).status == "success"

        assert handle.status == "new"
        assert handle.args == (1,)


def test_blocks_stand_in_each_other_and_end(harness: Harness) -> None:
    task = harness.app.task(plain)

    with inline(harness):
        outer = harness.do(task.add_task(1))
        with inline(harness):
            assert harness.do(harness.app.get(outer.id)) is None
        assert harness.do(harness.app.get(outer.id)).returning == [1, 1]

    assert harness.app._inline is None


@pytest.mark.parametrize("colour", ["sync"], indirect=True)
def test_a_sync_app_may_be_used_from_many_threads(harness: Harness) -> None:
    task = harness.app.task(where)
    other = harness.app.task(coroutine)

    def use(number: int) -> bool:
        mine = task.add_task().returning == threading.get_ident()
        return mine and other.add_task(number).returning == [number, 1]

    with inline(harness, raises=True), ThreadPoolExecutor(8) as threads:
        assert all(threads.map(use, range(40)))


@pytest.mark.parametrize("colour", ["sync"], indirect=True)
def test_tasks_that_meet_do_not_wait_for_the_same_thread(harness: Harness) -> None:
    meeting = threading.Barrier(2, timeout=30)
    meet = harness.app.task(name="meet")(lambda: meeting.wait() and None)

    @harness.app.task
    async def outer() -> list[str]:
        calls = [asyncio.to_thread(meet.add_task) for _ in range(2)]
        return [handle.status for handle in await asyncio.gather(*calls)]

    with inline(harness, raises=True):
        assert outer.add_task().returning == ["success", "success"]


@pytest.mark.parametrize("colour", ["sync"], indirect=True)
def test_a_sync_app_may_be_used_inside_a_loop(harness: Harness) -> None:
    task, other = harness.app.task(coroutine), harness.app.task(plain)

    async def main() -> list[Any]:
        with harness.app.inline():
            return [task.add_task(1).returning, other.add_task(2).returning]

    assert asyncio.run(main()) == [[1, 1], [2, 1]]


@pytest.mark.parametrize("colour", ["async"], indirect=True)
def test_many_tasks_may_be_added_at_once(harness: Harness) -> None:
    both_run = asyncio.Event()
    running: list[int] = []

    @harness.app.task
    async def meet(number: int) -> int:
        running.append(number)
        if len(running) == 2:
            both_run.set()
        await both_run.wait()
        return number

    async def main() -> list[Any]:
        async with harness.app.inline():
            handles = await asyncio.gather(meet.add_task(1), meet.add_task(2))
            return [handle.returning for handle in handles]

    assert asyncio.run(main()) == [1, 2]


@pytest.mark.parametrize("colour", ["async"], indirect=True)
def test_who_gives_up_is_not_kept(harness: Harness) -> None:
    @harness.app.task
    async def forever() -> None:
        await asyncio.Event().wait()

    async def main() -> str:
        async with harness.app.inline():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await forever.add_task()
            (handle,), _ = await harness.app.list_tasks()
            return str(handle.status)

    assert asyncio.run(main()) == "error"
