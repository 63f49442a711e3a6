"""Echo tasks: the running task as the first argument, in the function's colour."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

import qtasks
import qtasks.asyncio
from qtasks import AsyncTask, SyncTask
from qtasks.exc import RegistrationError, TaskArgumentsError, UnknownTaskError
from qtasks.executors import SyncTaskExecutor
from qtasks.middlewares import TaskMiddleware
from qtasks.plugins import BasePlugin

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from conftest import Harness


def result(harness: Harness, handle: Any) -> Any:
    """Runs what waits, and returns the result of a task."""
    harness.work()
    return harness.do(handle.result(5))


def test_s18_the_annotation_of_self_disturbs_nothing(harness: Harness) -> None:
    @harness.app.task(echo=True)
    async def coroutine(self: AsyncTask, x: int, *, y: int = 2) -> tuple[int, int, str]:
        return x, y, self.task_name

    @harness.app.task(echo=True)
    def plain(self: SyncTask[..., Any], x: int, /, *more: int) -> tuple[int, tuple[int, ...]]:
        assert self.task_name == "plain"
        return x, more

    assert str(coroutine.definition.signature).startswith("(x: 'int', *, y: 'int' = 2)")
    one = harness.do(coroutine.add_task(x=1, y=3))
    two = harness.do(plain.add_task(1, 2, 3))
    assert result(harness, one) == (1, 3, "coroutine")
    assert result(harness, two) == (1, (2, 3))
    with pytest.raises(TaskArgumentsError, match=r"missing a required argument: 'x'"):
        harness.do(coroutine.add_task())
    with pytest.raises(TaskArgumentsError, match=r"missing a required argument: 'x'"):
        harness.do(harness.app.add_task("plain"))


def test_s22_self_has_the_colour_of_the_function(harness: Harness) -> None:
    @harness.app.task(echo=True)
    async def coroutine(self: Any) -> tuple[str, str, bool]:
        return type(self).__name__, type(self.ctx).__name__, self.app is harness.app

    @harness.app.task(echo=True)
    def plain(self: Any) -> tuple[str, str, bool]:
        return type(self).__name__, type(self.ctx).__name__, self.app is harness.app

    one, two = harness.do(coroutine.add_task()), harness.do(plain.add_task())
    is_async = harness.colour == "async"
    assert result(harness, one) == ("AsyncTask", "AsyncContext", is_async)
    assert result(harness, two) == ("SyncTask", "SyncContext", not is_async)


def test_s23_tasks_add_tasks_to_the_app_that_runs_them(harness: Harness) -> None:
    @harness.app.task
    def leaf(x: int) -> int:
        return x

    @harness.app.task(echo=True)
    def plain(self: SyncTask, depth: int) -> list[str]:
        if depth:
            return [self.add_task(depth - 1).id]
        one = self.app.add_task("leaf", 1)
        two = self.add_task(2, task_name="leaf")
        return [one.id, two.id]

    @harness.app.task(echo=True)
    async def coroutine(self: AsyncTask, depth: int) -> list[str]:
        if depth:
            return [(await self.add_task(depth - 1)).id]
        one = await self.app.add_task("leaf", 1)
        two = await self.add_task(2, task_name="leaf")
        return [one.id, two.id]

    # An app that was made later is nobody's business.
    other = qtasks.QueueTasks(broker_url="memory://")
    for task in (plain, coroutine):
        root = harness.do(task.add_task(1))
        (child_id,) = result(harness, root)
        child = harness.do(harness.app.get(child_id))
        assert (child.record.parent_id, child.record.root_id) == (root.id, root.id)
        for number, leaf_id in enumerate(harness.do(child.result(5)), 1):
            found = harness.do(harness.app.get(leaf_id))
            assert (found.task_name, harness.do(found.result(5))) == ("leaf", number)
            assert (found.record.parent_id, found.record.root_id) == (child_id, root.id)
        assert (root.record.parent_id, root.record.root_id) == (None, None)
    other.close()


def test_s23_a_single_thread_is_enough_to_add_tasks(make_harness: Callable[..., Harness]) -> None:
    harness = make_harness(max_threads=1, max_tasks_process=2)

    @harness.app.task(echo=True)
    def plain(self: SyncTask, depth: int) -> str:
        assert threading.current_thread().name.startswith("qtasks-task")
        if not depth:
            return "bottom"
        handle = self.add_task(depth - 1)
        assert self.app.get(handle.id) is not None
        return handle.id

    handle = harness.do(plain.add_task(3))
    harness.work()
    for _ in range(3):
        handle = harness.do(harness.app.get(harness.do(handle.result(5))))
    assert harness.do(handle.result(5)) == "bottom"


def test_s23_a_coroutine_waits_for_what_it_added(harness: Harness) -> None:
    @harness.app.task
    def double(x: int) -> int:
        return 2 * x

    @harness.app.task(echo=True)
    async def whole(self: AsyncTask, x: int) -> int:
        handle = await self.add_task(x, task_name="double", timeout=30)
        assert (await handle.refresh()).finished
        return (await handle.result()) + 1

    assert result(harness, harness.do(whole.add_task(4))) == 9


def test_s23_plugins_of_the_client_see_what_tasks_add(harness: Harness) -> None:
    seen = []

    class Client(BasePlugin):
        async def start(self, *args: Any, **kwargs: Any) -> None:
            """Starts."""

        async def stop(self, *args: Any, **kwargs: Any) -> None:
            """Stops."""

        async def trigger(self, name: str, **kwargs: Any) -> None:
            await asyncio.sleep(0)
            if name == "qtasks_add_task_after_broker":
                seen.append(kwargs["task_name"])

    harness.app.add_plugin(Client(), ["qtasks_add_task_after_broker"])

    @harness.app.task
    def leaf() -> str:
        return "leaf"

    @harness.app.task(echo=True)
    def plain(self: SyncTask) -> str:
        return self.add_task(task_name="leaf").id

    @harness.app.task(echo=True)
    async def coroutine(self: AsyncTask) -> str:
        return (await self.add_task(task_name="leaf")).id

    for task in (plain, coroutine):
        leaf_id = result(harness, harness.do(task.add_task()))
        assert harness.do(harness.do(harness.app.get(leaf_id)).result(5)) == "leaf"
    assert seen == ["plain", "leaf", "coroutine", "leaf"]


def test_arguments_are_checked_before_anything_is_queued(harness: Harness) -> None:
    @harness.app.task(echo=True)
    def plain(self: SyncTask, x: int) -> list[str]:
        messages = []
        for bad in (
            lambda: self.add_task(1, 2),
            lambda: self.add_task(task_name="plain"),
            lambda: self.options(dealy=1),
        ):
            with pytest.raises(TaskArgumentsError) as caught:
                bad()
            messages.append(str(caught.value))
        return messages

    one, two, three = result(harness, harness.do(plain.add_task(1)))
    assert one.startswith("plain: too many positional arguments; the task is plain(x: 'int')")
    assert two.startswith("plain: missing a required argument: 'x'")
    assert three.startswith("unknown option 'dealy', did you mean 'delay'?")


def test_a_parameter_of_the_name_task_name_stays_the_tasks(harness: Harness) -> None:
    @harness.app.task
    def show(task_name: str) -> str:
        return task_name

    with pytest.raises(TaskArgumentsError, match=r"has a parameter 'task_name' of its own"):
        harness.do(show.add_task(task_name="x"))
    assert result(harness, harness.do(show.options().add_task(task_name="x"))) == "x"


def test_executors_of_users_get_self_as_well(harness: Harness) -> None:
    class Twice(SyncTaskExecutor):
        def before_execute(self) -> None:
            assert self.args[0] is self.echo
            self.args = (*self.args[:1], self.args[1] + 1)

        def run_task(self) -> Any:
            return [self.task_func.func(*self.args, **self.kwargs) for _ in range(2)]

    @harness.app.task(echo=True, executor=Twice)
    def plain(self: SyncTask, x: int) -> tuple[str, int]:
        return self.task_name, x

    assert result(harness, harness.do(plain.add_task(1))) == [("plain", 2)] * 2


def test_plugins_replace_the_arguments_of_the_call_alone(harness: Harness) -> None:
    class Replace(BasePlugin):
        def start(self, *args: Any, **kwargs: Any) -> None:
            """Starts."""

        def stop(self, *args: Any, **kwargs: Any) -> None:
            """Stops."""

        def trigger(self, name: str, **kwargs: Any) -> dict[str, Any]:
            assert kwargs["args"] == (1,)
            return {"args": (2,)}

    harness.app.add_plugin(Replace(), ["task_executor_args_replace"])

    @harness.app.task(echo=True)
    def plain(self: SyncTask, x: int) -> tuple[str, int]:
        return self.task_name, x

    assert result(harness, harness.do(plain.add_task(1))) == ("plain", 2)


def test_a_task_on_the_loop_gets_self(harness: Harness) -> None:
    @harness.app.task(echo=True, pool="loop")
    def inline(self: SyncTask) -> tuple[str, str]:
        return type(self).__name__, threading.current_thread().name

    handle = harness.do(inline.add_task())
    assert result(harness, handle) == ("SyncTask", threading.current_thread().name)


def test_called_as_a_function_it_gets_the_task_which_does_not_run(harness: Harness) -> None:
    @harness.app.task(echo=True)
    def plain(self: Any, x: int) -> tuple[Any, int]:
        return self, x

    assert plain(1) == (plain, 1)
    with pytest.raises(RuntimeError, match=r"^plain does not run here, so it has no ctx: declare"):
        plain.ctx  # noqa: B018 - reading it is what is under test


def test_every_run_has_a_self_of_its_own(harness: Harness) -> None:
    @harness.app.task(echo=True)
    async def coroutine(self: AsyncTask, n: int) -> tuple[int, UUID]:
        await asyncio.sleep(0)
        return n, self.ctx.task_uuid

    handles = [harness.do(coroutine.add_task(n)) for n in range(5)]
    harness.work()
    assert [harness.do(handle.result(5)) for handle in handles] == [
        (n, handle.uuid) for n, handle in enumerate(handles)
    ]


def no_parameter() -> None:
    """Takes nothing."""


def keywords_only(*, self: Any) -> None:
    """Takes only keywords."""


def crossing(self: Any) -> None:
    """Takes itself."""


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (no_parameter, {}, r"no_parameter\(\) -> 'None' has no parameter for it: write"),
        (keywords_only, {}, r"has no parameter for it: write keywords_only\(self, \.\.\.\)"),
        (crossing, {"pool": "process"}, r"which cannot cross to another process: use pool='thread"),
        (crossing, {"echo": 1}, r"task 'crossing': echo=1; use True or False"),
    ],
)
@pytest.mark.parametrize("app", [qtasks.QueueTasks, qtasks.asyncio.QueueTasks])
def test_what_cannot_take_self_is_refused(
    app: Any, function: Any, options: dict[str, Any], message: str
) -> None:
    made = app(broker_url="memory://")
    with pytest.raises(RegistrationError, match=message):
        made.task(**{"echo": True, **options})(function)
    assert made.tasks == {}


def test_a_task_may_take_itself_among_all_arguments(harness: Harness) -> None:
    @harness.app.task(echo=True)
    def plain(*args: Any) -> tuple[str, tuple[Any, ...]]:
        return args[0].task_name, args[1:]

    assert result(harness, harness.do(plain.add_task(1, 2))) == ("plain", (1, 2))


def test_adding_a_task_that_nobody_knows_works_by_name(harness: Harness) -> None:
    @harness.app.task(echo=True)
    def plain(self: SyncTask) -> str:
        return self.add_task(1, 2, 3, task_name="elsewhere").id

    found = harness.do(harness.app.get(result(harness, harness.do(plain.add_task()))))
    assert (found.task_name, found.args) == ("elsewhere", (1, 2, 3))
    harness.do(found.cancel())
    harness.do(harness.app.flush_all())
    with pytest.raises(UnknownTaskError):
        harness.do(found.refresh())


def test_self_outlives_a_middleware_that_replaces_the_executor(harness: Harness) -> None:
    class Replace(TaskMiddleware):
        def __call__(self) -> SyncTaskExecutor:
            old = self.task_executor
            assert (old.args, old.echo.task_name) == ((1,), "plain")
            new = SyncTaskExecutor(old.task_func, old.task_broker)
            new.args = (2,)
            return new

    @harness.app.task(echo=True, middlewares_before=[Replace])
    def plain(self: SyncTask, x: int) -> tuple[str, int]:
        return self.task_name, x

    assert result(harness, harness.do(plain.add_task(1))) == ("plain", 2)


@pytest.mark.parametrize("kind", ["coroutine", "function"])
def test_echo_tasks_run_inline(colour: str, kind: str) -> None:
    app: Any = (qtasks if colour == "sync" else qtasks.asyncio).QueueTasks(broker_url="memory://")

    @app.task
    def leaf(x: int) -> int:
        return 2 * x

    @app.task(echo=True, name="coroutine")
    async def coroutine(self: AsyncTask, x: int) -> int:
        self.ctx.progress(1, 2)
        child = await self.add_task(x, task_name="leaf")
        assert child.record.parent_id == str(self.ctx.task_uuid)
        assert (await self.ctx.get_task()).status == "process"
        return await child.result() + 1

    @app.task(echo=True, name="function")
    def function(self: SyncTask, x: int) -> int:
        self.ctx.progress(1, 2)
        child = self.add_task(x, task_name="leaf")
        assert child.record.parent_id == str(self.ctx.task_uuid)
        assert self.ctx.get_task().status == "process"
        return child.result() + 1  # type: ignore[no-any-return]  # it was asked for by name

    task = {"coroutine": coroutine, "function": function}[kind]

    async def inline() -> Any:
        async with app.inline(raises=True):
            return await task.add_task(4)

    if colour == "sync":
        with app.inline(raises=True):
            handle = task.add_task(4)
    else:
        handle = asyncio.run(inline())
    assert (handle.returning, handle.progress.fraction) == (9, 0.5)
