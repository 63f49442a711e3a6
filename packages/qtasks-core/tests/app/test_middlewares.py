"""Middlewares: called in the executor, before and after the function, wherever it runs."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.exc import Discard, RegistrationError, TaskCancelError
from qtasks.executors import AsyncTaskExecutor, BaseTaskExecutor, SyncTaskExecutor
from qtasks.middlewares import TaskMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness

calls: list[str] = []
threads: list[threading.Thread] = []
local = threading.local()
trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace", default="-")


@pytest.fixture(autouse=True)
def _forget() -> None:
    calls.clear()
    threads.clear()


def note(name: str) -> None:
    calls.append(name)
    threads.append(threading.current_thread())


class Plain(TaskMiddleware):
    def __call__(self) -> None:
        note("plain")
        local.value = trace.get()


class Awaited(TaskMiddleware):
    async def __call__(self) -> None:
        note("awaited")
        trace.set("traced")


class Named(TaskMiddleware):
    def __init__(self, task_executor: BaseTaskExecutor, *, name: str = "named") -> None:
        super().__init__(task_executor)
        self.name = name

    def __call__(self) -> None:
        note(self.name)


class Doubling(TaskMiddleware):
    """Changes what the executor it was given holds."""

    def __call__(self) -> None:
        executor = self.task_executor
        if executor.result is None:
            executor.args = tuple(2 * value for value in executor.args)
            executor.kwargs = {**executor.kwargs, "plus": 1}
        else:
            executor.result = f"<{executor.result}>"


class LoudAsync(AsyncTaskExecutor):
    async def after_execute(self) -> None:
        note("loud")
        self.result = str(self.result) + "!"


class LoudSync(SyncTaskExecutor):
    def after_execute(self) -> None:
        note("loud")
        self.result = str(self.result) + "!"


class Replacing(TaskMiddleware):
    """Returns an executor of its own, which knows the task and nothing of this run."""

    def __call__(self) -> BaseTaskExecutor:
        given = self.task_executor
        kind = LoudAsync if isinstance(given, AsyncTaskExecutor) else LoudSync
        return kind(given.task_func, given.task_broker)


class ReplacingLater(Replacing):
    async def __call__(self) -> BaseTaskExecutor:  # type: ignore[override]  # either colour will do
        return super().__call__()


class Wrong(TaskMiddleware):
    def __call__(self) -> Any:
        return 5


class Failing(TaskMiddleware):
    def __call__(self) -> None:
        msg = "no entry"
        raise PermissionError(msg)


class Discarding(TaskMiddleware):
    async def __call__(self) -> None:
        msg = "not today"
        raise Discard(msg)


class Cancelling(TaskMiddleware):
    def __call__(self) -> None:
        msg = "second thoughts"
        raise TaskCancelError(msg)


def named(name: str) -> Callable[[Any], TaskMiddleware]:
    return functools.partial(Named, name=name)


def declare(harness: Harness, kind: str, function: Callable[..., Any], **options: Any) -> Any:
    """Makes a task of a plain function: as a coroutine, in a thread, or on the loop."""
    if kind == "coroutine":

        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return harness.app.task(**options)(coroutine)
    return harness.app.task(pool=kind, **options)(function)


def run(harness: Harness, task: Any, *args: Any) -> Any:
    handle = harness.do(task.add_task(*args))
    harness.work()
    return harness.do(handle.wait(30))


@pytest.fixture(params=["coroutine", "thread", "loop"])
def kind(request: pytest.FixtureRequest) -> str:
    """Where the task runs."""
    value: str = request.param
    return value


def show(*args: int, plus: int = 0) -> str:
    note("function")
    return f"{sum(args) + plus}"


def test_s28_middlewares_of_both_colours_run_before_and_after(harness: Harness, kind: str) -> None:
    task = declare(
        harness,
        kind,
        show,
        middlewares_before=[Plain, Awaited],
        middlewares_after=[Awaited, Plain],
    )

    handle = run(harness, task, 1)

    assert handle.returning == "1"
    assert calls == ["plain", "awaited", "function", "awaited", "plain"]


def test_s28_replaced_arguments_and_results_are_used(harness: Harness, kind: str) -> None:
    task = declare(harness, kind, show, middlewares_before=[Doubling], middlewares_after=[Doubling])

    assert run(harness, task, 1, 2).returning == "<7>"


@pytest.mark.parametrize("middleware", [Replacing, ReplacingLater])
def test_s28_an_executor_that_is_returned_takes_the_place(
    harness: Harness, kind: str, middleware: type[TaskMiddleware]
) -> None:
    before = declare(harness, kind, show, name="before", middlewares_before=[middleware])
    after = declare(harness, kind, show, name="after", middlewares_after=[middleware, Doubling])

    assert run(harness, before, 1, 2).returning == "3!"
    assert run(harness, after, 1, 2).returning == "<3>"
    assert calls == ["function", "loud", "function"]


class TestInMemory:
    """What does not depend on the broker."""

    @pytest.fixture
    def url(self) -> str:
        return "memory://"

    def test_plain_ones_run_in_the_thread_of_the_task(self, harness: Harness) -> None:
        task = declare(
            harness,
            "thread",
            lambda: (note("function"), local.value),
            name="task",
            middlewares_before=[Awaited, Plain],
            middlewares_after=[Plain, Awaited],
        )

        handle = run(harness, task)

        # The thread sees what the coroutine has set, and the function what the thread has.
        assert handle.returning == (None, "traced")
        assert [thread is threading.main_thread() for thread in threads] == [
            True,
            *[False] * 3,
            True,
        ]
        assert len(set(threads[1:4])) == 1

    @pytest.mark.parametrize("kind", ["coroutine", "loop"])
    def test_on_the_loop_all_of_them_run_there(self, harness: Harness, kind: str) -> None:
        task = declare(harness, kind, show, middlewares_before=[Plain, Awaited])

        run(harness, task, 1)

        assert set(threads) == {threading.main_thread()}

    def test_with_a_process_they_run_in_the_worker(self, harness: Harness) -> None:
        harness.app.add_middleware(Awaited)
        harness.app.add_middleware(Doubling, position="after")
        options: Any = {"middlewares_before": [Plain], "decode": str.upper, "pool": "process"}
        task = harness.app.task(**options)(textwrap.dedent)

        assert run(harness, task, "  a").returning == "<A>"
        assert calls == ["awaited", "plain"]

    def test_those_of_the_app_stand_around_those_of_the_task(
        self, harness: Harness, kind: str
    ) -> None:
        early = declare(
            harness,
            kind,
            show,
            name="early",
            middlewares_before=[named("3"), named("4")],
            middlewares_after=[named("5"), named("6")],
        )
        assert run(harness, early, 1).returning == "1"
        calls.clear()
        for name, position in (("1", "before"), ("2", "before"), ("7", "after"), ("8", "after")):
            harness.app.add_middleware(named(name), position=position)
        late = declare(harness, kind, show, name="late")

        run(harness, early, 1)
        run(harness, late, 1)

        assert calls == [*"1234", "function", *"5678", *"12", "function", *"78"]

    def test_the_old_list_comes_first_before_the_function(self, harness: Harness) -> None:
        task = declare(
            harness,
            "thread",
            show,
            middlewares=[named("old")],
            middlewares_before=[named("new")],
        )

        run(harness, task, 1)

        assert calls == ["old", "new", "function"]
        assert task.definition.extra == {}

    @pytest.mark.parametrize(
        ("middleware", "status", "why"),
        [
            (Failing, "error", "no entry"),
            (Discarding, "cancel", "not today"),
            (Cancelling, "cancel", "second thoughts"),
        ],
    )
    def test_one_that_raises_before_ends_the_attempt(
        self,
        harness: Harness,
        kind: str,
        middleware: type[TaskMiddleware],
        status: str,
        why: str,
    ) -> None:
        task = declare(
            harness,
            kind,
            show,
            middlewares_before=[middleware, Plain],
            middlewares_after=[Awaited],
        )

        handle = run(harness, task, 1)

        assert handle.status == status
        assert (handle.error.message if handle.error else handle.reason) == why
        assert calls == []

    def test_those_after_are_called_only_if_the_function_returned(
        self, harness: Harness, kind: str
    ) -> None:
        task = declare(harness, kind, lambda: 1 / 0, name="task", middlewares_after=[Plain])

        handle = run(harness, task)

        assert handle.error.type == "builtins.ZeroDivisionError"
        assert calls == []

    def test_one_that_raises_after_fails_the_attempt(self, harness: Harness, kind: str) -> None:
        task = declare(harness, kind, show, middlewares_after=[Failing])

        assert run(harness, task, 1).error.message == "no entry"

    def test_what_is_no_executor_fails_the_attempt(self, harness: Harness, kind: str) -> None:
        task = declare(harness, kind, show, middlewares_before=[Wrong])

        error = run(harness, task, 1).error

        base = "AsyncTaskExecutor" if kind == "coroutine" else "SyncTaskExecutor"
        assert error.type == "builtins.TypeError"
        assert error.message == (
            "middleware Wrong returned 5; return None, or an executor of a class that derives"
            f" from qtasks.executors.{base}"
        )

    def test_a_process_takes_no_executor_with_a_run_task_of_its_own(self, harness: Harness) -> None:
        class Mine(SyncTaskExecutor):
            def run_task(self) -> Any:
                raise AssertionError

        class Giving(TaskMiddleware):
            def __call__(self) -> Mine:
                return Mine(self.task_executor.task_func, self.task_executor.task_broker)

        task = harness.app.task(pool="process", middlewares_before=[Giving])(textwrap.dedent)

        message = run(harness, task, "a").error.message
        assert "run_task is overridden" in message
        assert "pool='process'" in message

    def test_a_plain_one_may_return_a_coroutine(self, harness: Harness, kind: str) -> None:
        class Handing(TaskMiddleware):
            def __call__(self) -> Any:
                return self.work()

            async def work(self) -> None:
                note("work")

        task = declare(harness, kind, show, middlewares_before=[Handing])

        run(harness, task, 1)

        assert calls == ["work", "function"]

    @pytest.mark.parametrize("position", ["before", "after"])
    def test_max_time_covers_middlewares(self, harness: Harness, kind: str, position: str) -> None:
        class Endless(TaskMiddleware):
            async def __call__(self) -> None:
                await asyncio.Event().wait()

        options: Any = {f"middlewares_{position}": [Endless]}
        task = declare(harness, kind, show, max_time=0.05, **options)

        assert run(harness, task, 1).error.type == "qtasks.exc.TaskTimeoutError"

    def test_what_follows_an_overrun_thread_is_not_called(
        self, make_harness: Callable[..., Harness]
    ) -> None:
        harness = make_harness(max_threads=1)
        released, over = threading.Event(), threading.Event()

        @harness.app.task(max_time=0.05, middlewares_after=[Plain])
        def overrun() -> None:
            released.wait(30)
            over.set()

        @harness.app.task
        def next_one() -> None:
            released.set()
            over.wait(30)

        first, second = harness.do(overrun.add_task()), harness.do(next_one.add_task())
        harness.work()

        assert harness.do(first.wait(30)).error.type == "qtasks.exc.TaskTimeoutError"
        assert harness.do(second.wait(30)).status == "success"
        assert calls == []


class NoCall(TaskMiddleware):
    pass


class TooManyArguments(TaskMiddleware):
    def __init__(self, task_executor: BaseTaskExecutor, limit: int) -> None:
        super().__init__(task_executor)
        self.limit = limit

    def __call__(self) -> None:
        """Does nothing."""


class NeedsMore(TaskMiddleware):
    def __call__(self, executor: Any) -> None:
        """Does nothing."""


@pytest.mark.parametrize("url", ["memory://"])
class TestRefused:
    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ([object], "<class 'object'> is no class that derives from"),
            ([len], "<built-in function len> is no class that derives from"),
            ([Plain(None)], "is an instance, but each run makes its own; give the class Plain"),  # type: ignore[arg-type]  # no run here
            ([NoCall], "NoCall is abstract, it lacks __call__"),
            ([TooManyArguments], "cannot be called with (task_executor): missing a required"),
            ([functools.partial(TooManyArguments, 5)], "give its options by keyword"),
            ([functools.partial(Plain, speed=3)], "unexpected keyword argument 'speed'"),
            ([NeedsMore], "NeedsMore.__call__"),
            (Plain, "use a list of classes, such as [Mine]"),
        ],
    )
    @pytest.mark.parametrize("option", ["middlewares_before", "middlewares_after", "middlewares"])
    def test_one_that_does_not_fit(
        self, harness: Harness, option: str, given: Any, why: str
    ) -> None:
        with pytest.raises(RegistrationError) as raised:
            harness.app.task(name="mine", **{option: given})(print)
        assert str(raised.value).startswith(f"task 'mine', {option}: ")
        assert why in str(raised.value)
        assert not harness.app.tasks

    def test_one_of_the_app(self, harness: Harness) -> None:
        with pytest.raises(RegistrationError, match=r"add_middleware: .*is no class"):
            harness.app.add_middleware(object)
        with pytest.raises(RegistrationError, match=r"position='around'.*use 'before' or 'after'"):
            harness.app.add_middleware(Plain, position="around")

    def test_a_misspelt_option(self, harness: Harness) -> None:
        with pytest.raises(RegistrationError, match="did you mean 'middlewares_before'"):
            harness.app.task(middleware_before=[Plain])(print)

    def test_options_that_a_partial_gives_fit(self, harness: Harness) -> None:
        fitting = functools.partial(TooManyArguments, limit=5)
        task = harness.app.task(name="task", middlewares_before=[fitting])(lambda: 1)
        assert run(harness, task).returning == 1
