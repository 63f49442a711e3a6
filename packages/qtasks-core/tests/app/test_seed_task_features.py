"""The users' document on task features, S18 to S30: its code, executed as it is written."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from qtasks import AsyncTask, Router, SyncTask, shared_task
from qtasks._worker.pump import Pump
from qtasks.app import groups
from qtasks.exc import RegistrationError, TaskCancelError, TaskPluginTriggerError
from qtasks.executors import SyncTaskExecutor
from qtasks.middlewares import TaskMiddleware
from qtasks.plugins import BasePlugin

if TYPE_CHECKING:
    from conftest import Harness

    from qtasks.schemas import Delivery, Finished


S18 = """
@app.task(echo=True)
async def test_task(self: AsyncTask):
    self.ctx.plugin_error(message="Нестандартная ситуация")
# Альтернатива: raise TaskPluginTriggerError("Ошибка напрямую")
"""

S20 = """
@shared_task()
def shared_func():
    print("Общая задача")
"""

S21 = """
router = Router(method="sync")

@router.task()
def example():
    print("Router task")

app.include_router(router)
"""

S22 = """
@app.task(echo=True)
async def echo_task(self: AsyncTask):
    print(self.task_name)
"""

S25 = """
@app.task(echo=True)
def show_context(self: SyncTask):
    print(self.ctx.task_uuid)
    self.ctx.cancel()  # вызовет TaskCancelError внутри задачи
"""

S26 = """
@app.task(retry=5, retry_on_exc=[ZeroDivisionError])
def retryable():
    1 / 0
"""

S27 = """
@shared_task(executor=MySyncTaskExecutor)
def custom_exec():
    print("Используется кастомный executor")
"""

S28 = """
@shared_task(middlewares_after=[MyTaskMiddleware], middlewares_before=[MyTaskMiddleware])
def with_mw():
    print("middleware")
"""

S29 = """
@shared_task(awaiting=True)
async def async_shared():
    print("async shared task")
"""


@pytest.fixture(autouse=True)
def _no_shared_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the shared tasks of one test from the apps of others."""
    fresh = groups.Group()
    monkeypatch.setattr("qtasks.app.base.SHARED", fresh)
    monkeypatch.setattr("qtasks.app.shared.SHARED", fresh)


class MySyncTaskExecutor(SyncTaskExecutor):
    """Prints before the function."""

    def before_execute(self) -> None:
        sys.stdout.write("before\n")


class MyTaskMiddleware(TaskMiddleware):
    """Prints the name of the task."""

    async def __call__(self) -> None:
        sys.stdout.write(f"mw {self.task_executor.task_func.name}\n")


class Answering(BasePlugin):
    """Answers every ``TaskPluginTriggerError`` with 123, as the document on errors does."""

    def start(self, *args: Any, **kwargs: Any) -> None: ...

    def stop(self, *args: Any, **kwargs: Any) -> None: ...

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        del name, args
        assert list(kwargs) == ["task_executor", "task_func", "task_broker", "e"]
        return 123


#: What the document takes for granted.
NAMES = {
    "AsyncTask": AsyncTask,
    "MySyncTaskExecutor": MySyncTaskExecutor,
    "MyTaskMiddleware": MyTaskMiddleware,
    "Router": Router,
    "SyncTask": SyncTask,
    "shared_task": shared_task,
}


def run(harness: Harness, source: str, name: str) -> Any:
    """Executes a snippet, adds its task and runs it; returns the task's handle."""
    names = {**NAMES, "app": harness.app}
    exec(compile(source, name, "exec", dont_inherit=True), names)
    handle = harness.do(harness.app.add_task(name))
    harness.work()
    return harness.do(harness.app.get(handle.id))


def test_s18_echo_with_an_annotation(harness: Harness) -> None:
    harness.app.add_plugin(Answering(), ["task_executor_run_task_trigger_error"])
    task = run(harness, S18, "test_task")
    assert (task.status, task.returning) == ("success", 123)


@pytest.mark.parametrize("colour_of_task", ["sync", "async", "generator", "async generator"])
def test_s19_the_trigger_runs_for_every_kind_of_task(harness: Harness, colour_of_task: str) -> None:
    harness.app.add_plugin(Answering(), ["task_executor_run_task_trigger_error"])
    ask = TaskPluginTriggerError("reason")

    def plain() -> None:
        raise ask

    async def coroutine() -> None:
        raise ask

    def generator() -> Any:
        yield 1
        raise ask

    async def async_generator() -> Any:
        yield 1
        raise ask

    kinds = {"sync": plain, "async": coroutine, "generator": generator}
    function: Any = kinds.get(colour_of_task, async_generator)
    handle = harness.do(harness.app.task("asks")(function).add_task())
    harness.work()
    assert harness.do(handle.result()) == 123


def test_s20_shared_tasks(harness: Harness, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(harness, S20, "shared_func").status == "success"
    assert "Общая задача" in capfd.readouterr().out


def test_s20_they_take_what_other_tasks_take_before_and_after_the_app(harness: Harness) -> None:
    options: dict[str, Any] = {
        "max_time": 5,
        "priority": 3,
        "echo": True,
        "decode": str,
        "tags": ["a"],
        "executor": MySyncTaskExecutor,
        "middlewares": [MyTaskMiddleware],
        "middlewares_after": [MyTaskMiddleware],
        "test": True,
    }
    shared_task(name="s20", **options)(lambda self: None)
    harness.app.task(name="own", **options)(lambda self: None)

    with_app, own = harness.app.tasks["s20"], harness.app.tasks["own"]
    for field in (*options.keys() - {"middlewares", "test"}, "middlewares_before", "extra"):
        assert getattr(with_app, field) == getattr(own, field), field
    later = type(harness.app)(broker_url="memory://")
    assert later.tasks["s20"].max_time == 5


def test_s20_generators_and_their_handlers_are_shared_too(harness: Harness) -> None:
    def count() -> Any:
        yield from range(3)

    shared_task(name="s20_values", generate_handler=lambda value: value + 1)(count)

    handle = harness.do(harness.app.add_task("s20_values"))
    harness.work()
    assert harness.do(handle.result()) == [1, 2, 3]


@pytest.mark.parametrize("method", [None, "sync", "async"])
def test_s21_tasks_are_seen_that_a_router_gets_later(harness: Harness, method: Any) -> None:
    router = Router(method=method)
    harness.app.include_router(router)

    @router.task
    def late() -> str:
        return "late"

    handle = harness.do(harness.app.add_task("late"))
    harness.work()
    assert harness.do(handle.result()) == "late"


def test_s21_routers(harness: Harness, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(harness, S21, "example").status == "success"
    assert "Router task" in capfd.readouterr().out


def test_s22_echo(harness: Harness, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(harness, S22, "echo_task").status == "success"
    assert "echo_task" in capfd.readouterr().out


def test_s23_s24_nested_tasks_and_the_six_parts_of_a_context(harness: Harness) -> None:
    @harness.app.task
    def inner(text: str) -> str:
        return text

    @harness.app.task(echo=True)
    def outer(self: SyncTask) -> list[str]:
        ctx = self.ctx
        parts = [ctx.get_logger(), ctx.get_broker(), ctx.get_storage(), ctx.get_config()]
        added = inner.add_task if harness.colour == "sync" else self.app.add_task
        arguments = ("nested",) if harness.colour == "sync" else ("inner", "nested")
        return [*(type(part).__name__ for part in parts), added(*arguments).id]

    handle = harness.do(outer.add_task())
    harness.work()
    *parts, nested = harness.do(handle.result())
    assert parts[0] == "Logger"
    assert parts[3] == "QueueConfig"
    assert harness.do(harness.app.get(nested)).returning == "nested"


def test_s25_cancelling_itself(harness: Harness, capfd: pytest.CaptureFixture[str]) -> None:
    task = run(harness, S25, "show_context")
    assert str(task.uuid) in capfd.readouterr().out
    assert (task.status, task.reason) == ("cancel", "show_context.cancel")
    assert issubclass(TaskCancelError, RuntimeError)


def test_s26_retry_says_which_package_it_needs(harness: Harness) -> None:
    """What it does with the package is for the package's own tests."""
    with pytest.raises(RegistrationError, match="pip install qtasks-plugin-retry"):
        run(harness, S26, "retryable")
    assert not harness.app.tasks


def test_s27_executors(harness: Harness, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(harness, S27, "custom_exec").status == "success"
    out = capfd.readouterr().out
    assert out.index("before") < out.index("Используется кастомный executor")


def test_s28_middlewares(harness: Harness, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(harness, S28, "with_mw").status == "success"
    lines = [
        line for line in capfd.readouterr().out.splitlines() if "m" in line and "[" not in line
    ]
    assert lines == ["mw with_mw", "middleware", "mw with_mw"]


def test_s29_awaiting(harness: Harness, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(harness, S29, "async_shared").status == "success"
    assert "async shared task" in capfd.readouterr().out


def test_s29_the_task_is_one_for_asynchronous_code() -> None:
    @shared_task(awaiting=True)
    def plain() -> None: ...

    @shared_task
    async def coroutine() -> None: ...

    @shared_task(awaiting=False)
    async def blocking() -> None: ...

    assert isinstance(plain, AsyncTask)
    assert isinstance(coroutine, AsyncTask)
    assert isinstance(blocking, SyncTask)


def test_s30_plain_tasks_take_the_fast_path(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They travel in batches: the servers are asked a fraction of a time for each of them.

    What finishes during a call goes with the next one; here a call takes as long as all that run.
    """
    ran: list[int] = []
    harness.app.task("nothing")(lambda: ran.append(1))
    calls = [harness.app.tasks["nothing"]] * 300
    harness.do(harness.app.add_tasks([_call(task.name) for task in calls]))
    asked = slow_calls(harness.app.broker, monkeypatch)
    harness.work()
    assert len(ran) == len(calls)
    assert len(asked) <= len(calls) / 10


def _call(name: str) -> Any:
    from qtasks.schemas import CallOptions, TaskCall

    return TaskCall(name, (), {}, CallOptions())


def slow_calls(broker: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes a broker's calls; each begins when all that it has handed out has finished."""
    asked: list[str] = []
    handed: set[str] = set()
    finished: list[Delivery] = []
    finish = Pump.finished

    def counted(pump: Pump, delivery: Delivery, outcome: Finished | None) -> None:
        finished.append(delivery)
        finish(pump, delivery, outcome)

    monkeypatch.setattr(Pump, "finished", counted)
    for name in ("claim", "settle", "exchange"):
        method = getattr(broker, name)

        async def noted(*args: Any, _name: str = name, _method: Any = method, **kw: Any) -> Any:
            asked.append(_name)
            while len(finished) < len(handed):
                await asyncio.sleep(0)
            answer = await _method(*args, **kw)
            handed.update(each.id for each in getattr(answer, "deliveries", ()))
            return answer

        setattr(broker, name, noted)
    return asked
