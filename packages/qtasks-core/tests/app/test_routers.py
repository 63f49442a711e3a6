"""Tasks that are declared without an app: in routers, and for every app."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest

import qtasks
import qtasks.asyncio
from qtasks import AsyncRouter, AsyncTask, Router, SyncRouter, SyncTask, shared_task
from qtasks.app import groups
from qtasks.configs import QueueConfig
from qtasks.exc import DuplicateTaskError, RegistrationError
from qtasks.routers import Router as SameRouter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Harness


@pytest.fixture(autouse=True)
def _no_shared_tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keeps the shared tasks of one test from the apps of others."""
    fresh = groups.Group()
    monkeypatch.setattr("qtasks.app.base.SHARED", fresh)
    monkeypatch.setattr("qtasks.app.shared.SHARED", fresh)
    yield
    gc.collect()


def add(task: Any, *args: Any, **kwargs: Any) -> Any:
    """Adds a call in the colour of the task, and returns its handle."""
    if isinstance(task, SyncTask):
        return task.add_task(*args, **kwargs)

    async def call() -> Any:
        return await task.add_task(*args, **kwargs)

    return asyncio.run(call())


def finished(harness: Harness, handle: Any) -> Any:
    """Returns the result of a task, looked up by the app of the test."""
    return harness.do(harness.app.get(handle.id)).returning


def test_both_paths_lead_to_the_same_router() -> None:
    assert SameRouter is Router


@pytest.mark.parametrize("method", ["sync", "async", None])
def test_s21_tasks_of_a_router_run_in_the_app_that_takes_it(harness: Harness, method: Any) -> None:
    router = Router(method=method)

    @router.task()
    def example() -> str:
        return "Router task"

    harness.app.include_router(router)

    @router.task
    async def late(x: int) -> int:
        return x + 1

    assert isinstance(example, AsyncTask if method == "async" else SyncTask)
    assert isinstance(late, SyncTask if method == "sync" else AsyncTask)
    assert example() == "Router task"
    handles = [add(example), add(late, 1)]
    by_name = harness.do(harness.app.add_task("example"))
    by_object = harness.do(harness.app.add_task(late, 2))
    harness.work()
    assert [finished(harness, handle) for handle in handles] == ["Router task", 2]
    assert finished(harness, by_name) == "Router task"
    assert finished(harness, by_object) == 3
    assert list(harness.app.tasks) == ["example", "late"]
    assert list(router.tasks) == ["example", "late"]


@pytest.mark.parametrize("url", ["memory://"])
def test_a_router_is_taken_with_a_prefix_a_queue_and_tags(harness: Harness) -> None:
    router, outer = SyncRouter(), Router()

    @router.task(tags=["mail"])
    def send(to: str) -> str:
        return f"sent to {to}"

    @router.task(queue="own")
    def fetch() -> None: ...

    outer.include_router(router, prefix="mail.", queue="slow", tags=["io"])
    harness.app.include_router(outer, prefix="v1.", queue="other")

    @router.task
    def later() -> None: ...

    tasks = harness.app.tasks
    assert {name: (task.queue, task.tags) for name, task in tasks.items()} == {
        "v1.mail.send": ("slow", ("mail", "io")),
        "v1.mail.fetch": ("own", ("io",)),
        "v1.mail.later": ("slow", ("io",)),
    }
    handle = send.add_task("Ann")
    bound = send.options(priority=3).add_task("Bob")
    calls = harness.do(harness.app.add_tasks([send.build("Cem")]))
    assert handle.task_name == bound.task_name == calls[0].task_name == "v1.mail.send"
    harness.work(queues=["slow"])
    assert finished(harness, handle) == "sent to Ann"
    assert send.task_name == "send"


@pytest.mark.parametrize("url", ["memory://"])
@pytest.mark.parametrize("colour", ["sync"])
def test_a_router_that_does_not_fit_changes_nothing(harness: Harness) -> None:
    router = Router()
    router.task("free")(print)
    router.task("taken")(print)
    harness.app.task("taken")(print)
    with pytest.raises(DuplicateTaskError, match="two tasks are named 'taken'"):
        harness.app.include_router(router)
    assert list(harness.app.tasks) == ["taken"]
    harness.app.include_router(router, prefix="r.")
    assert list(harness.app.tasks) == ["taken", "r.free", "r.taken"]
    with pytest.raises(DuplicateTaskError, match="two tasks are named 'free'"):
        router.task("free")(len)
    with pytest.raises(RegistrationError, match="unknown option 'max_tiem'"):
        router.task("late", max_tiem=3)(len)
    assert list(router.tasks) == ["free", "taken"]
    with pytest.raises(RegistrationError, match="pip install qtasks-plugin-retry"):
        router.task("again", retry=3)(len)
    alone = Router()
    alone.task("again", retry=3)(len)
    with pytest.raises(RegistrationError, match="pip install qtasks-plugin-retry"):
        harness.app.include_router(alone)
    assert "again" not in harness.app.tasks


@pytest.mark.parametrize("url", ["memory://"])
@pytest.mark.parametrize("colour", ["sync"])
def test_what_does_not_fit_one_of_the_apps_is_in_none(harness: Harness) -> None:
    other = qtasks.QueueTasks("other", broker_url="memory://")
    other.task("taken")(print)
    outer, inner = Router(), Router()
    harness.app.include_router(outer)
    other.include_router(outer)
    inner.task("free")(print)
    inner.task("taken")(len)
    with pytest.raises(DuplicateTaskError, match="two tasks are named 'taken'"):
        outer.include_router(inner)
    with pytest.raises(DuplicateTaskError, match="two tasks are named 'taken'"):
        outer.task("taken")(len)
    with pytest.raises(DuplicateTaskError, match="two tasks are named 'taken'"):
        shared_task("taken")(len)
    assert list(harness.app.tasks) == []
    assert list(other.tasks) == ["taken"]
    outer.include_router(inner, prefix="inner.")
    assert list(harness.app.tasks) == ["inner.free", "inner.taken"]
    assert list(qtasks.QueueTasks("third", broker_url="memory://").tasks) == []


@pytest.mark.parametrize("url", ["memory://"])
@pytest.mark.parametrize("colour", ["sync"])
def test_a_task_that_comes_twice_says_how(harness: Harness) -> None:
    leaf, one, two = Router(), Router(), Router()
    leaf.task("leaf")(print)
    one.include_router(leaf)
    harness.app.include_router(one)
    two.include_router(leaf)
    with pytest.raises(DuplicateTaskError, match=r"'leaf': .* taken twice; .* another prefix="):
        harness.app.include_router(two)
    both = Router()
    harness.app.include_router(both, prefix="both.")
    both.include_router(one)
    with pytest.raises(DuplicateTaskError, match=r"'both.leaf': .* taken twice"):
        both.include_router(two)
    assert list(harness.app.tasks) == ["leaf", "both.leaf"]

    def again() -> None:
        @shared_task
        def loaded() -> None: ...

    again()
    with pytest.raises(DuplicateTaskError, match=r"'loaded': .* is declared twice; load its"):
        again()


def test_a_task_with_two_prefixes_is_called_within_its_own(harness: Harness) -> None:
    router = Router(method="sync")

    @router.task
    def first() -> str:
        return second.add_task().task_name

    @router.task
    def second() -> None: ...

    def by_object() -> Any:
        return harness.do(harness.app.add_task(second))

    names = {"first": "second", "v2.first": "v2.second"}
    harness.app.include_router(router)
    assert second.add_task().task_name == "second"
    harness.app.include_router(router, prefix="v2.")
    for call in (second.add_task, second.build, by_object):
        with pytest.raises(
            RegistrationError, match=r"under 2 names, second, v2\.second: say which"
        ):
            call()
    handles = {name: harness.do(harness.app.add_task(name)) for name in names}
    harness.work()
    assert {name: harness.do(one.result()) for name, one in handles.items()} == names


@pytest.mark.parametrize("url", ["memory://"])
@pytest.mark.parametrize("colour", ["sync"])
def test_what_is_no_router_is_refused(harness: Harness) -> None:
    with pytest.raises(RegistrationError, match=r"expected a router \(call the class\)"):
        harness.app.include_router(Router)
    with pytest.raises(RegistrationError, match="expected a router, such as"):
        harness.app.include_router("tasks")
    with pytest.raises(RegistrationError, match="use 'sync', 'async', or None"):
        Router(method="both")  # type: ignore[call-overload]  # that is the point
    with pytest.raises(RegistrationError, match="tags='io'; use a list"):
        harness.app.include_router(Router(), tags="io")
    with pytest.raises(RegistrationError, match="tags=None; use a list"):
        harness.app.include_router(Router(), tags=None)
    with pytest.raises(RegistrationError, match=r"prefix=None; use a text such as 'mail\.'"):
        harness.app.include_router(Router(), prefix=None)
    one, other = Router(), AsyncRouter()
    one.include_router(other)
    for inner, outer in ((one, one), (one, other)):
        with pytest.raises(RegistrationError, match="cannot include itself"):
            outer.include_router(inner)
    assert repr(one) == "<Router of no tasks>"


@pytest.mark.parametrize("url", ["memory://"])
@pytest.mark.parametrize("colour", ["sync"])
def test_a_task_without_an_app_or_with_several_says_so(harness: Harness) -> None:
    router = SyncRouter()

    @router.task
    def lonely() -> str:
        return "ran"

    with pytest.raises(RegistrationError, match="belongs to no app yet"):
        lonely.add_task()
    other = qtasks.QueueTasks("other", broker_url="memory://")
    other.include_router(router)
    harness.app.include_router(router)
    with pytest.raises(RegistrationError, match=r"belongs to 2 apps, 'QueueTasks', 'other'"):
        lonely.add_task()
    assert harness.app.add_task(lonely).task_name == "lonely"
    del other
    gc.collect()
    assert lonely.add_task().task_name == "lonely"


def test_s20_shared_tasks_belong_to_every_app_made_before_or_after(harness: Harness) -> None:
    def doubled(value: int) -> int:
        return 2 * value

    @shared_task
    def shared_func() -> str:
        return "Общая задача"

    @shared_task("counted", generate_handler=doubled, priority=3, max_time=30, team="core")
    def count() -> Any:
        yield 1
        yield 2

    assert {"shared_func", "counted"} <= harness.app.tasks.keys()
    task = harness.app.tasks["counted"]
    assert (task.priority, task.max_time, task.extra) == (3, 30, {"team": "core"})
    other = qtasks.QueueTasks("other", broker_url="memory://", config=QueueConfig(queues=["o"]))
    assert other.tasks["shared_func"].queue == "o"
    del other
    handles = [add(shared_func), add(count)]
    harness.work()
    assert [finished(harness, handle) for handle in handles] == ["Общая задача", [2, 4]]


def test_s29_awaiting_gives_an_async_task(harness: Harness) -> None:
    @shared_task(awaiting=True)
    async def async_shared() -> str:
        return "async shared task"

    @shared_task(awaiting=True)
    def plain() -> str:
        return "plain"

    @shared_task(awaiting=False)
    async def from_sync() -> str:
        return "from sync"

    @shared_task
    async def by_colour() -> str:
        return "by colour"

    kinds = [type(task).__mro__ for task in (async_shared, plain, from_sync, by_colour)]
    assert [AsyncTask in kind for kind in kinds] == [True, True, False, True]
    handles = [add(task) for task in (async_shared, plain, from_sync, by_colour)]
    harness.work()
    results = [finished(harness, handle) for handle in handles]
    assert results == ["async shared task", "plain", "from sync", "by colour"]
    with pytest.raises(RegistrationError, match="awaiting='yes'"):
        shared_task(awaiting="yes")  # type: ignore[call-overload]  # that is the point


def test_a_running_task_adds_shared_tasks_to_the_app_that_runs_it(harness: Harness) -> None:
    """Even if there are other apps that have them too."""

    @shared_task
    def inner(x: int) -> int:
        return x

    @shared_task(awaiting=True)
    def inner_later(x: int) -> int:
        return x

    @harness.app.task
    def outer() -> str:
        return inner.add_task(1).id

    @harness.app.task
    async def outer_later() -> str:
        return (await inner_later.add_task(2)).id

    other = qtasks.QueueTasks("other", broker_url="memory://")
    handles = [harness.do(outer.add_task()), harness.do(outer_later.add_task())]
    harness.work()
    for handle, value in zip(handles, (1, 2), strict=True):
        inner_id = finished(harness, handle)
        found = harness.do(harness.app.get(inner_id))
        assert (found.returning, found.record.parent_id) == (value, handle.id)
    assert other.tasks


@pytest.mark.parametrize("url", ["memory://"])
def test_shared_tasks_run_in_inline_mode(harness: Harness) -> None:
    @shared_task
    def sync(x: int) -> int:
        return x

    @shared_task
    async def later(x: int) -> int:
        return x

    if harness.colour == "sync":
        assert add(sync, 0).status == "new"  # which makes the twin that inline mode must reach
        with harness.app.inline():
            assert add(sync, 1).result() == 1
    else:

        async def run() -> None:
            async with harness.app.inline():
                assert await (await later.add_task(2)).result() == 2

        harness._runner.run(run())
