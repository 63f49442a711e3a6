"""The users' document on variables in tasks, S31 to S43: its code, executed as it is written."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Annotated, Any

import pytest

import qtasks
from qtasks import plugins
from qtasks.app import groups
from qtasks.plugins.depends import ScopeEnum

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness

S31_TO_S37 = """
from qtasks.plugins import Depends
from contextlib import asynccontextmanager

@asynccontextmanager
async def get_db():
    db = await connect_to_db()
    yield db
    print("close...")
    await db.disconnect()

@app.task
async def test_depends(depends: Depends(get_db)):
    depends.execute(...)
    print("Вызов выполнен")
    return
"""

S38_TO_S42 = """
from qtasks.plugins import AsyncState

class MyState(AsyncState):
    pass

@app.task
async def step1(state: MyState):
    await state.set("state", "await_phone")
    await state.update(step=1, prompt="Введите телефон")
    return "ok"

@app.task
async def step2(state: MyState):
    print(await state.get_all())

    cur = await state.get("state")
    if cur != "await_phone":
        return "error"
    await state.update(step=2)
    await state.delete("state")
    await state.clear()
    return "ok"
"""

PRINTED = "{'state': 'await_phone', 'step': 1, 'prompt': 'Введите телефон'}\n"


class Db:
    """What ``connect_to_db`` gives."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def execute(self, what: Any) -> None:
        self.told.append(f"execute {what}")

    async def disconnect(self) -> None:
        self.told.append("disconnect")


def read(code: str, app: Any, **names: Any) -> dict[str, Any]:
    """Executes a snippet of the document, with and without the import that many files have."""
    found = {"app": app, **names}
    exec(compile(code, "variables.ru.txt", "exec", dont_inherit=True), found)
    return found


def run(harness: Harness, task: Any, *args: Any, **kwargs: Any) -> Any:
    """Adds a task and works it off; returns its record."""
    handle = harness.do(task.add_task(*args, **kwargs))
    harness.work()
    return harness.do(handle.wait(timeout=10))


@pytest.fixture(autouse=True)
def _no_shared_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the shared tasks of one test from the apps of others."""
    fresh = groups.Group()
    monkeypatch.setattr("qtasks.app.base.SHARED", fresh)
    monkeypatch.setattr("qtasks.app.shared.SHARED", fresh)


@pytest.fixture(params=["as it is", "with future annotations"])
def future(request: pytest.FixtureRequest) -> str:
    """What stands before the code."""
    return "" if request.param == "as it is" else "from __future__ import annotations\n"


def test_s31_depends_is_found_by_all_its_paths() -> None:
    module = importlib.import_module("qtasks.plugins.depends")

    assert qtasks.Depends is plugins.Depends is module.Depends
    assert module.ScopeEnum is ScopeEnum
    assert list(ScopeEnum) == ["task", "worker", "broker", "storage", "global_config"]


def test_s32_to_s37_depends_as_the_document_has_it(
    harness: Harness,
    future: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    db = Db()

    async def connect_to_db() -> Db:
        return db

    task = read(future + S31_TO_S37, harness.app, connect_to_db=connect_to_db)["test_depends"]
    caplog.set_level(logging.DEBUG, "qtasks.worker")

    record = run(harness, task)

    assert (record.status, record.returning) == ("success", None)
    assert db.told == ["execute Ellipsis", "disconnect"]
    assert capsys.readouterr().out == "Вызов выполнен\nclose...\n"


SPELLINGS = {
    "annotation": "db: Depends(get_db)",
    "default": "db=Depends(get_db)",
    "annotated, last": "db: Annotated[Db, 'a note', Depends(get_db)]",
    "annotated, first": "db: Annotated[Db, Depends(get_db), 'a note']",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_s32_depends_may_be_annotation_default_or_annotated(
    harness: Harness, future: str, spelling: str
) -> None:
    code = f"""
def get_db():
    return Db()

@app.task
async def test_depends({spelling}):
    return type(db).__name__
"""
    names = {"Annotated": Annotated, "Db": Db, "Depends": qtasks.Depends}
    task = read(future + code, harness.app, **names)["test_depends"]

    assert run(harness, task).returning == "Db"


def test_s33_decorators_need_no_parentheses(harness: Harness) -> None:
    code = """
from qtasks import Depends, Router, shared_task

router = Router()

def get_db():
    yield "db"

@app.task
def of_the_app(db: Depends(get_db)):
    return db

@router.task
def of_a_router(db: Depends(get_db)):
    return db

@shared_task
def of_all(db: Depends(get_db)):
    return db

app.include_router(router)
"""
    read(code, harness.app)

    for name in ("of_the_app", "of_a_router", "of_all"):
        handle = harness.do(harness.app.add_task(name))
        harness.work()
        assert harness.do(handle.wait(timeout=10)).returning == "db"


S35 = """
import asyncio
from contextlib import asynccontextmanager, contextmanager
from qtasks import Depends

def function():
    return "function"

async def coroutine():
    return "coroutine"

def generator():
    yield "generator"
    closed.append("generator")

async def async_generator():
    yield "async generator"
    closed.append("async generator")

@contextmanager
def manager():
    yield "manager"
    closed.append("manager")

@asynccontextmanager
async def async_manager():
    yield "async manager"
    closed.append("async manager")

class Manager:
    def __enter__(self):
        return "class"

    def __exit__(self, *error):
        closed.append("class")

class AsyncManager:
    async def __aenter__(self):
        return "async class"

    async def __aexit__(self, *error):
        closed.append("async class")

@app.task
{word} test_depends(
    a: Depends(function), b: Depends(coroutine), c: Depends(generator), d: Depends(async_generator),
    e: Depends(manager), f: Depends(async_manager), g: Depends(Manager), h: Depends(AsyncManager),
):
    return [a, b, c, d, e, f, g, h]
"""


@pytest.mark.parametrize("word", ["def", "async def"])
def test_s35_a_dependency_may_be_of_every_kind(harness: Harness, word: str) -> None:
    closed: list[str] = []
    task = read(S35.replace("{word}", word), harness.app, closed=closed)["test_depends"]

    record = run(harness, task)

    opened = ["generator", "async generator", "manager", "async manager", "class", "async class"]
    assert record.returning == ["function", "coroutine", *opened]
    assert closed == opened[::-1]


def test_s36_a_task_that_returns_nothing_succeeds_with_none(harness: Harness) -> None:
    db = Db()

    def get_db() -> Db:
        return db

    @harness.app.task
    async def test_depends(depends: qtasks.Depends(get_db)) -> None:  # type: ignore[valid-type]  # a call, as users write it
        depends.execute("SELECT 1")  # type: ignore[attr-defined]  # of what the call above gives

    record = run(harness, test_depends)

    assert (record.status, record.returning) == ("success", None)
    assert db.told == ["execute SELECT 1"]


def test_s34_the_task_has_ended_before_its_dependencies_are_closed(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "qtasks.worker")
    log = logging.getLogger("qtasks.worker")
    settled: list[str] = []

    async def get_db() -> Any:
        yield "db"
        log.debug("close...")
        settled.extend(found.status for found in await app_records())

    async def app_records() -> list[Any]:
        return [found for found in await storage().get([handle.id]) if found is not None]

    def storage() -> Any:
        return harness.app.storage

    @harness.app.task
    async def test_depends(depends: qtasks.Depends(get_db)) -> None:  # type: ignore[valid-type]  # users write it so
        log.debug("Вызов выполнен")

    handle = harness.do(test_depends.add_task())
    harness.work()

    told = [line.getMessage() for line in caplog.records]
    wanted = [
        f"test_depends {handle.id} begins",
        "Вызов выполнен",
        f"test_depends {handle.id} ends: success",
        "close...",
    ]
    assert [line for line in told if line in wanted] == wanted
    assert settled == ["process"]  # what is closed cannot outlive its lease


def test_s37_what_a_dependency_raises_fails_the_task(harness: Harness) -> None:
    def get_db() -> None:
        msg = "no server at db:5432"
        raise ConnectionError(msg)

    @harness.app.task
    async def test_depends(depends: qtasks.Depends(get_db)) -> None:  # type: ignore[valid-type]  # users write it so
        pytest.fail("it must not run")

    assert harness.app.tasks["test_depends"].filled == {"depends": "depends"}
    record = run(harness, test_depends)

    assert record.status == "error"
    assert record.error.type == "builtins.ConnectionError"
    assert record.error.message == "no server at db:5432"


def test_s38_to_s41_state_as_the_document_has_it(
    harness: Harness, future: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = read(future + S38_TO_S42, harness.app)

    assert run(harness, found["step1"]).returning == "ok"
    assert run(harness, found["step2"]).returning == "ok"
    assert capsys.readouterr().out == PRINTED
    assert run(harness, found["step2"]).returning == "error"
    assert capsys.readouterr().out == "{}\n"


def test_s38_sync_state_in_plain_tasks(harness: Harness, future: str) -> None:
    code = S38_TO_S42.replace("AsyncState", "SyncState")
    code = code.replace("async def", "def").replace("await ", "")
    found = read(future + code, harness.app)

    assert run(harness, found["step1"]).returning == "ok"
    assert run(harness, found["step2"]).returning == "ok"
    assert run(harness, found["step2"]).returning == "error"


def test_s39_what_each_method_returns(harness: Harness) -> None:
    class MyState(plugins.AsyncState):
        pass

    @harness.app.task
    async def look(state: MyState) -> list[Any]:
        return [
            await state.set("a", 1),
            await state.update(b=[2], c=None),
            await state.get("a"),
            await state.get("c", "default"),
            await state.get("d"),
            await state.get("d", "default"),
            await state.get(),
            await state.delete("a"),
            await state.delete("nothing"),
            await state.get_all(),
            await state.clear(),
            await state.get_all(),
        ]

    whole = {"a": 1, "b": [2], "c": None}
    assert run(harness, look).returning == [
        *(None, whole, 1, None, None, "default", whole),
        *(None, None, {"b": [2], "c": None}, None, {}),
    ]


@pytest.mark.parametrize("url", ["sqlite", "redis", "split-redis"], indirect=True)
def test_s40_the_steps_may_run_on_different_workers_after_a_restart(
    make_harness: Callable[..., Harness], capsys: pytest.CaptureFixture[str]
) -> None:
    first = make_harness()
    assert run(first, read(S38_TO_S42, first.app)["step1"]).returning == "ok"
    first.do(first.app.close())

    second = make_harness()
    assert run(second, read(S38_TO_S42, second.app)["step2"]).returning == "ok"
    assert capsys.readouterr().out == PRINTED


def test_s41_a_cleared_state_is_empty_for_the_next_step(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    found = read(S38_TO_S42, harness.app)
    for step in ("step1", "step2"):
        run(harness, found[step])
    capsys.readouterr()

    record = run(harness, found["step2"])

    assert (record.status, record.returning) == ("success", "error")
    assert capsys.readouterr().out == "{}\n"


def test_s42_each_user_has_a_state_of_its_own(harness: Harness) -> None:
    names = {"Annotated": Annotated, "StateKey": plugins.StateKey}
    code = S38_TO_S42.replace(
        "(state: MyState)", '(user_id, state: Annotated[MyState, StateKey("user_id")])'
    )
    found = read(code, harness.app, **names)

    assert run(harness, found["step1"], 1).returning == "ok"
    assert run(harness, found["step2"], 2).returning == "error"
    assert run(harness, found["step2"], user_id=1).returning == "ok"
    assert run(harness, found["step2"], 1).returning == "error"


@pytest.mark.parametrize("arguments", [((1, 2), {}), ((1,), {"b": 2}), ((), {"a": 1, "b": 2})])
def test_s43_depends_state_echo_and_arguments_get_along(
    harness: Harness, future: str, arguments: tuple[Any, Any]
) -> None:
    code = """
from qtasks import AsyncTask, Depends
from qtasks.plugins import AsyncState

class MyState(AsyncState):
    pass

def get_db():
    yield "db"

@app.task(echo=True)
async def both(self: AsyncTask, state: MyState, a, db: Depends(get_db), b=9, *, c="c"):
    await state.update(a=a)
    return [self.task_name, await state.get("a"), db, a, b, c]
"""
    task = read(future + code, harness.app)["both"]

    args, kwargs = arguments
    assert run(harness, task, *args, **kwargs).returning == ["both", 1, "db", 1, 2, "c"]
