"""Generators as tasks: their values are the result, and are read while the task runs."""

from __future__ import annotations

import asyncio
import importlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.exc import (
    RegistrationError,
    Reject,
    RetryLater,
    StreamBrokenError,
    TaskArgumentsError,
    TaskFailedError,
    TaskPluginTriggerError,
    UnknownTaskError,
    WaitTimeoutError,
)
from qtasks.executors import AsyncTaskExecutor, SyncTaskExecutor
from qtasks.middlewares import TaskMiddleware
from qtasks.plugins import BasePlugin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

    from conftest import Harness

KINDS = ["generator", "async generator", "on the loop"]


def plain(*values: Any, fail: Exception | None = None) -> Iterator[Any]:
    for value in values:
        if fail is not None and value is None:
            raise fail
        yield value


async def asynchronous(*values: Any, fail: Exception | None = None) -> AsyncIterator[Any]:
    for value in values:
        if fail is not None and value is None:
            raise fail
        yield value


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Functions that another process can find."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("generated_tasks")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


def declare(harness: Harness, kind: str, fail: Exception | None = None, **options: Any) -> Any:
    """Registers a generator of a kind, which yields its arguments."""

    def one(*values: Any) -> Iterator[Any]:
        yield from plain(*values, fail=fail)

    async def other(*values: Any) -> AsyncIterator[Any]:
        async for value in asynchronous(*values, fail=fail):
            yield value

    pool = {"pool": "loop"} if kind == "on the loop" else {}
    return harness.app.task("gen", **pool, **options)(other if kind == "async generator" else one)


def test_the_list_of_the_values_is_the_result(harness: Harness, kind: str) -> None:
    task = declare(harness, kind)
    handle = harness.do(task.add_task(1, "two", None, {"three": 3}))
    empty = harness.do(task.add_task())
    harness.work()
    assert harness.do(handle.result()) == [1, "two", None, {"three": 3}]
    assert harness.do(empty.result()) == []
    assert harness.collect(handle.stream()) == [1, "two", None, {"three": 3}]
    assert harness.collect(empty.stream()) == []


@pytest.mark.parametrize("handler", ["plain", "async"])
def test_s20_yielded_values_go_through_the_handler(
    harness: Harness, kind: str, handler: str
) -> None:
    def double(value: int) -> int:
        return 2 * value

    async def double_later(value: int) -> int:
        await asyncio.sleep(0)
        return 2 * value

    if kind == "on the loop" and handler == "async":
        with pytest.raises(RegistrationError, match="use pool='thread', or an async generator"):
            declare(harness, kind, generate_handler=double_later)
        return
    used = double if handler == "plain" else double_later
    task = declare(harness, kind, generate_handler=used)
    handle = harness.do(task.add_task(1, 2, 0))
    harness.work()
    assert harness.do(handle.result()) == [2, 4, 0]
    assert harness.collect(handle.stream()) == [2, 4, 0]


def test_what_the_handler_returns_comes_back_from_yield(harness: Harness) -> None:
    @harness.app.task(generate_handler=str.upper)
    def sync() -> Iterator[str]:
        step = yield "init"
        yield f"{step} seen"
        yield from ["a", "b"]

    @harness.app.task(generate_handler=str.upper)
    async def on_loop() -> AsyncIterator[str]:
        step = yield "init"  # type: ignore[misc]  # the annotation of a caller says nothing of it
        yield f"{step} seen"

    @harness.app.task
    def unhandled() -> Iterator[Any]:
        yield (yield 1)

    handles = [harness.do(task.add_task()) for task in (sync, on_loop, unhandled)]
    harness.work()
    results = [harness.do(handle.result()) for handle in handles]
    assert results == [["INIT", "INIT SEEN", "A", "B"], ["INIT", "INIT SEEN"], [1, None]]


def test_generators_that_delegate_to_others_need_not_take_answers(harness: Harness) -> None:
    def deepest() -> Iterator[str]:
        yield from ["a", "b"]

    def deeper() -> Iterator[str]:
        yield from deepest()
        answer = yield "c"
        yield f"{answer}!"

    @harness.app.task(generate_handler=str.upper)
    def nested() -> Iterator[str]:
        yield from deeper()

    handle = harness.do(nested.add_task())
    harness.work()
    assert harness.do(handle.result()) == ["A", "B", "C", "C!"]


def test_what_a_generator_returns_is_the_result(harness: Harness) -> None:
    @harness.app.task
    def total(count: int) -> Generator[int, None, int]:
        yield from range(count)
        return 0 if count == 1 else sum(range(count))

    handle = harness.do(total.add_task(4))
    nought = harness.do(total.add_task(1))
    harness.work()
    assert harness.do(handle.result()) == 6
    assert harness.do(nought.result()) == 0
    assert harness.collect(handle.stream()) == [0, 1, 2, 3]


def test_an_exception_in_the_middle_fails_the_task(harness: Harness, kind: str) -> None:
    task = declare(harness, kind, fail=ValueError("no more"))
    handle = harness.do(task.add_task(1, 2, None, 3))
    harness.work()
    seen: list[Any] = []
    with pytest.raises(TaskFailedError, match="ValueError: no more"):
        each(harness, handle.stream(), seen.append)
    assert seen == [1, 2]
    assert harness.do(handle.refresh()).returning is None


def each(harness: Harness, values: Any, note: Callable[[Any], object]) -> None:
    """Hands every value to a function, also if reading fails in the end."""

    async def iterate() -> None:
        async for value in values:
            note(value)

    if harness.colour == "async":
        harness._runner.run(iterate())
    else:
        for value in values:
            note(value)


def test_control_and_plugin_exceptions_work_in_the_middle(harness: Harness, kind: str) -> None:
    class Answers(BasePlugin):
        def start(self, *args: Any, **kwargs: Any) -> None: ...

        def stop(self, *args: Any, **kwargs: Any) -> None: ...

        def trigger(self, name: str, **kwargs: Any) -> Any:
            assert set(kwargs) == {"task_executor", "task_func", "task_broker", "e"}
            return [*kwargs["task_executor"].values.kept, "plugin"]

    task = declare(harness, kind, fail=TaskPluginTriggerError("help"))
    harness.app.add_plugin(Answers(), ["task_executor_run_task_trigger_error"])
    handle = harness.do(task.add_task(1, None))

    def rejecting() -> Iterator[int]:
        yield 1
        raise Reject("never")  # noqa: EM101 - a test

    rejected = harness.do(harness.app.task(rejecting).add_task())
    harness.work()
    assert harness.do(handle.result()) == [1, "plugin"]
    with pytest.raises(TaskFailedError, match="never"):
        harness.do(rejected.result())


def test_a_generator_is_closed(harness: Harness) -> None:
    closed: list[str] = []

    def refuse(value: Any) -> Any:
        raise ValueError(value)

    @harness.app.task(generate_handler=refuse)
    def sync() -> Iterator[str]:
        try:
            yield "sync"
        finally:
            closed.append("sync")

    @harness.app.task(generate_handler=refuse)
    async def on_loop() -> AsyncIterator[str]:
        try:
            yield "async"
        finally:
            await asyncio.sleep(0)
            closed.append("async")

    handles = [harness.do(sync.add_task()), harness.do(on_loop.add_task())]
    harness.work()
    for handle in handles:
        with pytest.raises(TaskFailedError, match="ValueError"):
            harness.do(handle.result())
    assert sorted(closed) == ["async", "sync"]


@pytest.mark.parametrize("url", ["memory://"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_generator_that_will_not_be_closed_hides_no_error(harness: Harness, kind: str) -> None:
    def refuse(value: str) -> str:
        message = f"no {value}"
        raise Reject(message)

    def one() -> Iterator[str]:
        try:
            yield "a"
        finally:
            yield "b"

    async def other() -> AsyncIterator[str]:
        try:
            yield "a"
        finally:
            yield "b"

    pool = {"pool": "loop"} if kind == "on the loop" else {}
    function = other if kind == "async generator" else one
    task = harness.app.task("stubborn", generate_handler=refuse, **pool)(function)
    handle = harness.do(task.add_task())
    harness.work()
    error = harness.do(handle.refresh()).error
    assert error.message == "no a"
    assert "ignored GeneratorExit" in error.traceback


@pytest.mark.parametrize("url", ["memory://"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_closing_is_told(harness: Harness, kind: str) -> None:
    trouble = ["not closed"]

    def refuse(value: str) -> str:
        raise ValueError(value)

    def one() -> Iterator[str]:
        try:
            yield "a"
        finally:
            raise RuntimeError(*trouble)

    async def other() -> AsyncIterator[str]:
        try:
            yield "a"
        finally:
            raise RuntimeError(*trouble)

    pool = {"pool": "loop"} if kind == "on the loop" else {}
    function = other if kind == "async generator" else one
    task = harness.app.task("messy", generate_handler=refuse, **pool)(function)
    handle = harness.do(task.add_task())
    harness.work()
    assert harness.do(handle.refresh()).error.message == "not closed"


def test_a_client_reads_while_the_task_runs(make_harness: Callable[..., Harness]) -> None:
    harness = make_harness()
    go_on = threading.Event()

    @harness.app.task
    def slowly() -> Iterator[int]:
        yield 1
        assert go_on.wait(30)
        yield 2

    handle = harness.do(slowly.add_task())
    worker = threading.Thread(target=harness.work)
    worker.start()
    seen = []

    def note(value: int) -> None:
        seen.append((value, go_on.is_set()))
        go_on.set()

    each(harness, handle.stream(timeout=30), note)
    worker.join()
    assert seen == [(1, False), (2, True)]
    assert harness.do(handle.result()) == [1, 2]


def test_echo_generators_have_their_context(harness: Harness, kind: str) -> None:
    def one(self: Any) -> Iterator[str]:
        yield f"{type(self).__name__} {self.ctx.task_name}"

    async def other(self: Any) -> AsyncIterator[str]:
        yield f"{type(self).__name__} {self.ctx.task_name}"

    pool = {"pool": "loop"} if kind == "on the loop" else {}
    function: Any = other if kind == "async generator" else one
    task = harness.app.task("named", echo=True, **pool)(function)
    handle = harness.do(task.add_task())
    harness.work()
    which = "AsyncTask" if kind == "async generator" else "SyncTask"
    assert harness.do(handle.result()) == [f"{which} named"]


def test_a_cancelled_generator_stops_at_its_next_value(harness: Harness) -> None:
    stopped = threading.Event()
    running = threading.Event()

    @harness.app.task
    def forever() -> Iterator[int]:
        try:
            while True:
                running.set()
                yield 1
                time.sleep(0.001)
        finally:
            stopped.set()

    handle = harness.do(forever.add_task())
    worker = threading.Thread(target=harness.work)
    worker.start()
    assert running.wait(30)
    assert harness.do(handle.cancel("enough")) == "requested"
    assert stopped.wait(30)
    worker.join()
    assert harness.do(handle.wait(30)).reason == "enough"


@pytest.mark.parametrize("url", ["memory://"])
def test_a_generator_that_caught_its_cancellation_stops_at_its_next_value(
    harness: Harness,
) -> None:
    caught: list[int] = []

    @harness.app.task(max_time=0.05)
    async def stubborn() -> AsyncIterator[int]:
        for number in range(3):
            try:
                await asyncio.sleep(0 if caught else 30)
            except asyncio.CancelledError:
                caught.append(number)
            yield number

    handle = harness.do(stubborn.add_task())
    harness.work()
    error = harness.do(handle.refresh()).error
    assert error.message == "stubborn exceeded its max_time of 0.05 s"
    assert caught == [0]


@pytest.mark.parametrize("url", ["memory://"])
def test_an_async_generator_that_never_waits_lets_others_run(harness: Harness) -> None:
    ran = threading.Event()

    @harness.app.task
    async def other() -> None:
        ran.set()

    @harness.app.task(max_time=60, store_result=False)
    async def busy() -> AsyncIterator[bool]:
        for _ in range(200_000):
            if ran.is_set():
                break
            yield False
        yield ran.is_set()

    handle = harness.do(busy.options(priority=-1).add_task())
    harness.do(other.add_task())
    harness.work()
    assert harness.collect(handle.stream())[-1] is True


@pytest.mark.parametrize("url", ["memory://"])
def test_a_time_limit_within_a_generator_holds_while_its_values_are_taken(
    harness: Harness,
) -> None:
    async def slowly(_: int) -> None:
        await asyncio.sleep(30)

    @harness.app.task(generate_handler=slowly)
    async def limited() -> AsyncIterator[int]:
        try:
            async with asyncio.timeout(0.01):
                yield 1
        except TimeoutError:
            return

    handle = harness.do(limited.add_task())
    harness.work()
    assert harness.do(handle.result()) == []


@pytest.mark.parametrize("colour", ["sync"])
def test_executors_and_plugins_see_the_values(harness: Harness) -> None:
    class Counted(SyncTaskExecutor):
        def run_task_gen(self) -> Any:
            return [len(super().run_task_gen())]

    class CountedLater(AsyncTaskExecutor):
        async def run_task_gen(self) -> Any:
            return [len(await super().run_task_gen())]

    class Reversed(TaskMiddleware):
        def __call__(self) -> None:
            self.task_executor.result = self.task_executor.result[::-1]

    class Adds(BasePlugin):
        def start(self, *args: Any, **kwargs: Any) -> None: ...

        def stop(self, *args: Any, **kwargs: Any) -> None: ...

        def trigger(self, name: str, **kwargs: Any) -> Any:
            assert set(kwargs) == {"task_executor", "results"}
            return {"results": [*kwargs["results"], "plugin"]}

    harness.app.add_plugin(Adds(), ["task_executor_run_task_gen"])
    options: Any = {"middlewares_after": [Reversed], "decode": lambda result: [*result, "end"]}
    one = harness.app.task("one", executor=Counted, **options)(plain)
    other = harness.app.task("other", executor=CountedLater, **options)(asynchronous)
    handles = [harness.do(task.add_task("a", "b")) for task in (one, other)]
    harness.work()
    for handle in handles:
        assert harness.do(handle.result()) == ["plugin", 2, "end"]
        assert harness.collect(handle.stream()) == ["a", "b"]


@pytest.mark.parametrize("url", ["memory://"])
def test_a_middleware_may_put_another_executor_in_place(harness: Harness, kind: str) -> None:
    class Another(TaskMiddleware):
        def __call__(self) -> Any:
            executor = self.task_executor
            return type(executor)(executor.task_func, executor.task_broker)

    task = declare(harness, kind, middlewares_before=[Another])
    handle = harness.do(task.add_task("a", "b"))
    harness.work()
    assert harness.do(handle.result()) == ["a", "b"]
    assert harness.collect(handle.stream()) == ["a", "b"]


def test_values_outlive_a_result_that_is_not_stored(harness: Harness) -> None:
    task = declare(harness, "generator", store_result=False)
    handle = harness.do(task.add_task(1, 2))
    harness.work()
    assert harness.collect(handle.stream()) == [1, 2]
    with pytest.raises(UnknownTaskError):
        harness.do(handle.result(timeout=0))


def test_a_task_that_does_not_stream_gives_its_values_at_the_end(harness: Harness) -> None:
    task = declare(harness, "generator", stream=False)
    handle = harness.do(task.add_task(1, 2))
    harness.work()
    assert harness.collect(handle.stream()) == [1, 2]


def test_limits(make_harness: Callable[..., Harness]) -> None:
    harness = make_harness(max_stream=1000, max_payload=600)
    task = declare(harness, "generator", store_result=False)
    whole = declare_list(harness)
    large = harness.do(task.add_task("x" * 500))
    over = [harness.do(whole.add_task(size, count)) for size, count in ((700, 1), (100, 20))]
    harness.work()
    assert harness.collect(large.stream()) == ["x" * 500]
    for handle, what in zip(over, ("value 0 of sized takes", "raise max_stream"), strict=True):
        with pytest.raises(TaskFailedError, match=what):
            harness.do(handle.result())


def declare_list(harness: Harness) -> Any:
    """Registers a generator of texts of a size."""

    @harness.app.task
    def sized(size: int, count: int) -> Iterator[str]:
        for _ in range(count):
            yield "x" * size

    return sized


def test_many_values_go_through(harness: Harness, kind: str) -> None:
    task = harness.app.task("many", **({"pool": "loop"} if kind == "on the loop" else {}))(
        count_later if kind == "async generator" else count
    )
    handle = harness.do(task.add_task(5000))
    harness.work()
    assert harness.do(handle.result()) == list(range(5000))
    assert harness.collect(handle.stream()) == list(range(5000))


def count(most: int) -> Iterator[int]:
    yield from range(most)


async def count_later(most: int) -> AsyncIterator[int]:
    for number in range(most):
        yield number


def test_reading_can_time_out(harness: Harness) -> None:
    handle = harness.do(declare(harness, "generator").add_task(1))
    with pytest.raises(WaitTimeoutError) as raised:
        harness.collect(handle.stream(timeout=0))
    assert raised.value.task is handle
    with pytest.raises(TaskArgumentsError, match="timeout=-1"):
        harness.collect(handle.stream(timeout=-1))


@pytest.mark.parametrize("restart", [False, True])
def test_a_new_run_is_noticed(harness: Harness, restart: bool) -> None:
    runs: list[int] = []
    read = threading.Event()

    @harness.app.task
    def twice() -> Iterator[str]:
        runs.append(1)
        yield f"run {len(runs)}"
        if len(runs) == 1:
            assert read.wait(30)
            raise RetryLater(0)
        yield "end"

    handle = harness.do(twice.add_task())
    worker = threading.Thread(target=harness.work)
    worker.start()
    seen: list[str] = []

    def note(value: str) -> None:
        seen.append(value)
        read.set()

    values = handle.stream(timeout=30, restart=restart)
    if restart:
        each(harness, values, note)
        assert seen == ["run 1", "run 2", "end"]
    else:
        with pytest.raises(StreamBrokenError, match=r"runs anew after 1 values: .*restart=True"):
            each(harness, values, note)
        assert seen == ["run 1"]
    worker.join()
    assert harness.collect(handle.stream()) == ["run 2", "end"]


@pytest.mark.parametrize("restart", [False, True])
def test_a_new_run_that_yields_nothing_is_noticed(harness: Harness, restart: bool) -> None:
    runs: list[int] = []
    read = threading.Event()

    @harness.app.task
    def once() -> Iterator[str]:
        runs.append(1)
        if len(runs) == 1:
            yield "run 1"
            assert read.wait(30)
            raise RetryLater(0)

    handle = harness.do(once.add_task())
    worker = threading.Thread(target=harness.work)
    worker.start()
    seen: list[str] = []

    def note(value: str) -> None:
        seen.append(value)
        read.set()

    values = handle.stream(timeout=30, restart=restart)
    if restart:
        each(harness, values, note)
    else:
        with pytest.raises(StreamBrokenError, match="runs anew after 1 values"):
            each(harness, values, note)
    worker.join()
    assert seen == ["run 1"]
    assert harness.do(handle.result()) == harness.collect(handle.stream()) == []


def test_a_list_that_is_returned_is_not_yielded(harness: Harness) -> None:
    @harness.app.task
    def nothing() -> Generator[int, None, list[int]]:
        yield from ()
        return [1, 2]

    unstored = declare(harness, "generator", store_result=False)
    handle, other = harness.do(nothing.add_task()), harness.do(unstored.add_task())
    harness.work()
    assert harness.do(handle.result()) == [1, 2]
    assert harness.collect(handle.stream()) == []
    assert harness.collect(other.stream()) == []


def test_generators_in_processes(harness: Harness, module: Any) -> None:
    task = harness.app.task(pool="process", generate_handler=str.upper)(module.echo_twice)
    returned = harness.app.task(pool="process")(module.give)
    handles = [harness.do(task.add_task("a")), harness.do(returned.add_task(3))]
    harness.work()
    assert [harness.do(handle.result()) for handle in handles] == [["A", "A!"], "gave 3"]
    assert harness.collect(handles[1].stream()) == [0, 1, 2]


@pytest.mark.parametrize("colour", ["sync"])
@pytest.mark.parametrize("url", ["memory://"])
def test_what_does_not_fit_is_refused(harness: Harness, module: Any) -> None:
    task = harness.app.task
    with pytest.raises(RegistrationError, match="generate_handler= is for generators"):
        task("a", generate_handler=str)(lambda: None)
    with pytest.raises(RegistrationError, match="stream= is for generators"):
        task("a", stream=False)(lambda: None)
    with pytest.raises(RegistrationError, match="generate_handler=3; use a function"):
        task("a", generate_handler=3)(plain)
    with pytest.raises(RegistrationError, match="stream='no'; use True or False"):
        task("a", stream="no")(plain)
    with pytest.raises(RegistrationError, match="pool='thread'; an async generator runs in 'loop'"):
        task("a", pool="thread")(asynchronous)
    with pytest.raises(RegistrationError, match="an async generator runs in 'loop'"):
        task("a", pool="process")(asynchronous)

    class Wrong(SyncTaskExecutor):
        def run_task(self) -> Any:
            return None

    with pytest.raises(RegistrationError, match="run_task would never be called"):
        task("a", executor=Wrong)(plain)

    class Gen(SyncTaskExecutor):
        def run_task_gen(self) -> Any:
            return None

    with pytest.raises(RegistrationError, match="run_task_gen would never be called"):
        task("a", executor=Gen)(lambda: None)
    with pytest.raises(RegistrationError, match="run_task_gen cannot be overridden with"):
        task("a", executor=Gen, pool="process")(module.give)


@pytest.mark.parametrize("url", ["memory://"])
def test_inline_mode_runs_generators(harness: Harness, module: Any) -> None:
    task = declare(harness, "generator", generate_handler=lambda value: value + 1)
    other = harness.app.task(pool="process")(module.give)
    if harness.colour == "sync":
        with harness.app.inline():
            assert list(task.add_task(1, 2).stream()) == [2, 3]
            assert other.add_task(2).result() == "gave 2"
    else:

        async def run() -> None:
            async with harness.app.inline():
                handle = await task.add_task(1, 2)
                assert [value async for value in handle.stream()] == [2, 3]
                assert await (await other.add_task(2)).result() == "gave 2"

        harness._runner.run(run())


@pytest.mark.parametrize("url", ["memory://"])
def test_calling_the_task_gives_the_generator(harness: Harness) -> None:
    task = harness.app.task(plain)
    assert list(task(1, 2)) == [1, 2]
