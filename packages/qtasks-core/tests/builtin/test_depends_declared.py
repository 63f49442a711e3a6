"""Where a dependency may be written, and what is refused where the task is declared."""

# Calls in defaults are what is tested (B008); messages of several lines stand in tables (ISC004),
# and blocks that belong to different steps stand within each other (SIM117).
# ruff: noqa: B008, ISC004, SIM117

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Optional

import pytest

from qtasks import AsyncRouter, Depends, QueueTasks, shared_task
from qtasks.app import groups
from qtasks.exc import RegistrationError, TaskArgumentsError
from qtasks.plugins import State
from qtasks.plugins.depends import overrides

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Harness
    from nowhere import Session

in_memory = pytest.mark.parametrize("url", ["memory"], indirect=True)


def get_db() -> str:
    return "db"


DB = Depends(get_db)


def alias(db: DB, x: int) -> Any:
    return [db, x]


def default(x: int, db: str = DB) -> Any:
    return [db, x]


def first(db: Annotated[str, Depends(get_db), "more"], x: int) -> Any:
    return [db, x]


def last(db: Annotated[str, "more", Depends(get_db)], x: int) -> Any:
    return [db, x]


def optional(db: Optional[Annotated[str, Depends(get_db)]], x: int) -> Any:  # noqa: UP045 - it is what is tested
    return [db, x]


def either(db: Annotated[str, Depends(get_db)] | None, x: int) -> Any:
    return [db, x]


def only_for_checkers(db: Annotated[Session, Depends(get_db)], x: int) -> Any:
    return [db, x]


def unknown_beside(db: Depends(get_db), x: Session) -> Any:
    return [db, x]


def keyword(x: int, *, db: Depends(get_db)) -> Any:
    return [db, x]


def positional(db: Depends(get_db), x: int, /) -> Any:
    return [db, x]


def late_positional(x: int, y: int = 0, db: str = DB, /) -> Any:
    return [db, x, y][:2]


def many(db: Depends(get_db), *args: int) -> Any:
    return [db, *args]


def named(db: Depends(get_db), **kwargs: int) -> Any:
    return [db, *kwargs.values()]


@pytest.mark.parametrize(
    "function",
    [
        *(alias, default, first, last, optional, either, only_for_checkers, unknown_beside),
        *(keyword, positional, late_positional, many, named),
    ],
)
@pytest.mark.parametrize("by_name", [True, False])
@in_memory
def test_it_may_be_written_anywhere(
    harness: Harness, run: Any, function: Any, by_name: bool
) -> None:
    if by_name and function in (positional, late_positional, many):
        by_name = False
    if not by_name and function is named:
        by_name = True
    task = harness.app.task(function)

    assert "db" not in task.definition.signature.parameters
    assert run(task, x=3).returning == ["db", 3] if by_name else True
    if not by_name:
        assert run(task, 3).returning == ["db", 3]


@in_memory
def test_calls_leave_it_out(harness: Harness) -> None:
    task = harness.app.task(first)

    with pytest.raises(TaskArgumentsError, match=r"first: db is filled in by the plugin 'depends'"):
        task.build(1, db="mine")
    with pytest.raises(TaskArgumentsError, match=re.escape("the task is first(x: 'int')")):
        task.build()
    assert harness.app.tasks["first"].filled == {"db": "depends"}


@in_memory
def test_a_direct_call_passes_it(harness: Harness) -> None:
    assert harness.app.task(first)("mine", 1) == ["mine", 1]
    task = harness.app.task(default)
    assert task(1, "mine") == ["mine", 1]
    with pytest.raises(TaskArgumentsError, match="nothing injected db"):
        task(1)


@pytest.mark.parametrize("how", ["router", "shared"])
@in_memory
def test_tasks_without_an_app_have_them_too(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    fresh = groups.Group()
    monkeypatch.setattr("qtasks.app.base.SHARED", fresh)
    monkeypatch.setattr("qtasks.app.shared.SHARED", fresh)
    app = type(harness.app)(broker_url="memory://")

    def local() -> str:
        return "local"

    if how == "router":
        router = AsyncRouter()

        @router.task
        async def use(x: int, db: Depends(local)) -> list[Any]:
            return [x, db]

        app.include_router(router)
    else:

        @shared_task
        def use(x: int, db: Depends(local)) -> list[Any]:
            return [x, db]

    assert list(app.plugins) == ["depends"]
    handle = harness.do(app.add_task("use", 1))
    app.run_forever(burst=True)
    assert harness.do(handle.result(timeout=10)) == [1, "local"]
    harness.do(app.close())


@in_memory
def test_an_app_without_dependencies_has_no_plugin(harness: Harness) -> None:
    @harness.app.task
    def usual(x: int) -> int:
        return x

    assert list(harness.app.plugins) == []
    assert usual.definition.filled == {}


def needs(dependency: Any) -> Any:
    def task(db: Any = Depends(dependency)) -> None:
        del db

    return task


def bare(db: Annotated[str, Depends]) -> None: ...
def two(db: Depends(get_db) = Depends(lambda: 1)) -> None: ...
def many_values(*db: Depends(get_db)) -> None: ...
def unreadable(db: Depends(nothing_of_that_name)) -> None: ...  # type: ignore[name-defined]  # noqa: F821 - it is what is tested
def inside(db: list[Depends(get_db)]) -> None: ...
def further_inside(db: Annotated[dict[str, Annotated[str, Depends(get_db)]], "a"]) -> None: ...
def no_callable(db: Depends(5)) -> None: ...
def no_scope(db: Depends(get_db, scope="wroker")) -> None: ...
def no_pool(db: Depends(get_db, pool="process")) -> None: ...


def cycle_a(b: Depends(lambda: cycle_b)) -> None: ...


def cycle_b(a: Any) -> None: ...


def wants_url(url: str) -> None: ...


class Form(State):
    pass


def wants_state(form: Form) -> None: ...


def in_run(ctx: Any) -> None: ...


def short(db: Depends(get_db)) -> str:
    return db


def worker_short(db: Depends(get_db, "worker")) -> str:
    return db


REFUSED = {
    "bare": (bare, "parameter 'db': Depends without a function: write Depends(get_db)"),
    "two": (two, "parameter 'db' is two dependencies, Depends(get_db) and Depends(<lambda>)"),
    "many": (many_values, "parameter 'db': *db"),
    "unreadable": (
        unreadable,
        "parameter 'db': the annotation Depends(nothing_of_that_name) cannot be read: name"
        " 'nothing_of_that_name' is not defined",
    ),
    "inside": (inside, "Depends(get_db) stands inside another type: write Annotated[..., Depends"),
    "further inside": (further_inside, "Depends(get_db) stands inside another type"),
    "state": (
        needs(wants_state),
        "parameter 'db': wants_state: 'form' is state, which only tasks can have: let the task",
    ),
    "no callable": (no_callable, "Depends(5): give what makes the value"),
    "no scope": (no_scope, "scope='wroker'): use one of 'task', 'worker'"),
    "no pool": (no_pool, "pool='process'): use 'loop', 'thread' or None"),
    "nobody": (
        needs(wants_url),
        "parameter 'db': wants_url has a parameter 'url' that nobody fills in",
    ),
    "context": (
        needs(partial(in_run)),
        None,
    ),
    "too short": (
        lambda db=Depends(short, scope="worker"): db,
        "parameter 'db': short has the scope 'worker' and needs 'db', which lives only as long as"
        " its task: give short the scope 'task', or get_db a longer one",
    ),
    "too short for all": (
        lambda db=Depends(worker_short, scope="broker"): db,
        "worker_short has the scope 'broker' and needs 'db', which lives only as long as its"
        " worker",
    ),
    "no run": (
        lambda db=Depends(in_run, scope="worker"): db,
        "in_run has the scope 'worker' and lives longer than a run, so there is no ctx for it",
    ),
}


@pytest.mark.parametrize("what", [name for name, row in REFUSED.items() if row[1]])
@in_memory
def test_what_cannot_be_is_refused_where_it_is_declared(harness: Harness, what: str) -> None:
    function, message = REFUSED[what]

    with pytest.raises(RegistrationError, match=re.escape(str(message))):
        harness.app.task("it")(function)
    assert "it" not in harness.app.tasks


@in_memory
def test_dependencies_that_need_each_other_are_refused(harness: Harness) -> None:
    def get_a() -> None: ...

    def get_b(a: Any) -> None: ...

    def get_c(b: Any = Depends(get_b)) -> None: ...

    get_b.__annotations__["a"] = Depends(get_c)

    with pytest.raises(
        RegistrationError,
        match=r"get_c -> get_b needs 'a': dependencies need each other: get_c -> get_b -> get_c",
    ):
        harness.app.task("it")(needs(get_c))


@in_memory
def test_the_plugin_can_be_switched_off(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_DISABLE_PLUGINS", "depends")

    with pytest.raises(RegistrationError, match="'db' is filled in by the plugin 'depends', which"):
        harness.app.task(first)


@in_memory
def test_what_cannot_cross_to_another_process_fails_and_is_named(harness: Harness) -> None:
    def get_lock() -> Any:
        return object()

    task = harness.app.task(pool="process")(alias)
    assert task.definition.pool == "process"
    with overrides(harness.app, {get_db: get_lock}):
        handle = harness.do(task.add_task(1))
        harness.work()

    error = harness.do(handle.wait(timeout=10)).error
    assert error.type == "qtasks.exc.EncodeError"


@in_memory
def test_what_can_cross_to_another_process_does(harness: Harness, run: Any) -> None:
    with overrides(harness.app, {}) if harness.app.plugins else _nothing():
        task = harness.app.task(pool="process")(alias)
        assert run(task, 1).returning == ["db", 1]


class _nothing:  # noqa: N801 - a context manager
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@in_memory
def test_overrides_take_the_place_of_dependencies(harness: Harness, run: Any) -> None:
    closed = []

    def get_name(db: Depends(get_db)) -> str:
        return f"name of {db}"

    def fake() -> Iterator[str]:
        yield "fake"
        closed.append("fake")

    @harness.app.task
    async def use(name: Depends(get_name), db: Depends(get_db)) -> list[str]:
        return [name, db]

    assert run(use).returning == ["name of db", "db"]
    with overrides(harness.app, {get_db: fake}):
        assert run(use).returning == ["name of fake", "fake"]
        with overrides(harness.app, {get_name: Depends(lambda: "inner", scope="worker")}):
            assert run(use).returning == ["inner", "fake"]
        assert run(use).returning == ["name of fake", "fake"]
    assert run(use).returning == ["name of db", "db"]
    assert closed == ["fake"] * 3


@in_memory
def test_overrides_that_do_not_fit_are_refused(harness: Harness) -> None:
    with pytest.raises(RegistrationError, match="no task of the app has dependencies"):
        with overrides(harness.app, {get_db: get_db}):
            pytest.fail("it must not begin")
    harness.app.task(first)

    with pytest.raises(RegistrationError, match=re.escape("Depends('fake'): give what makes")):
        with overrides(harness.app, {get_db: "fake"}):
            pytest.fail("it must not begin")
    with pytest.raises(RegistrationError, match=re.escape("Depends(None): give what makes")):
        with overrides(harness.app, {get_db: None}):
            pytest.fail("it must not begin")
    with pytest.raises(RegistrationError, match="give the function that Depends names"):
        with overrides(harness.app, {Depends(get_db): get_db}):
            pytest.fail("it must not begin")
    with pytest.raises(RegistrationError, match="'url' that nobody fills in"):
        with overrides(harness.app, {get_db: wants_url}):
            pytest.fail("it must not begin")
    with overrides(harness.app, {}):
        assert harness.app.task(last).definition.filled


def test_the_report_says_that_it_is_built_in() -> None:
    app = QueueTasks(broker_url="memory://")
    app.task(first)

    [report] = [each for each in app.plugin_reports() if each.name == "depends"]
    assert (report.state, report.origin, report.distribution) == (
        "active",
        "built-in",
        "qtasks-core",
    )
    assert "task_executor_fill" in report.triggers
