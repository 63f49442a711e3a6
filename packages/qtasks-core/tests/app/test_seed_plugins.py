"""The users' documents on plugins, word for word, in both kinds of app (S1 to S19)."""

from __future__ import annotations

import asyncio
import importlib
import sys
from abc import ABC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.plugins import Plugin, on
from qtasks.plugins.base import BasePlugin

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness

sys.path.insert(0, str(Path(__file__).parent))
seed: Any = importlib.import_module("seed_documents")
sys.path.pop(0)


@pytest.fixture
def url() -> str:
    """What the plugins do is the same with every broker."""
    return "memory://"


def run(harness: Harness, task: Callable[..., Any], **options: Any) -> Any:
    registered = harness.app.task(echo=True, **options)(task)
    handle = harness.do(registered.add_task())
    harness.work()
    harness.do(handle.wait(5))
    return handle


def test_the_base_class_is_abstract_and_its_methods_can_be_called() -> None:
    assert issubclass(BasePlugin, ABC)
    with pytest.raises(TypeError, match="abstract"):
        BasePlugin()  # type: ignore[abstract]  # the mistake under test
    assert BasePlugin.start(seed.TestPlugin()) is None
    assert (seed.TestPlugin().name, seed.TestPlugin("x").name, seed.TestPlugin(name="x").name) == (
        None,
        "x",
        "x",
    )


@pytest.mark.parametrize("task", seed.TASKS, ids=lambda task: task.__name__)
def test_without_an_answer_the_exception_goes_on(
    harness: Harness, task: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.app.add_plugin(seed.TestPlugin())
    handle = run(harness, task)
    assert handle.status == "error"
    assert handle.error.type == "qtasks.exc.TaskPluginTriggerError"
    if task is not seed.context_with_nothing:
        assert handle.error.message == "Нестандартная ситуация"
        assert "Нестандартная ситуация" in handle.error.traceback
    printed = capsys.readouterr().out
    assert [word for word in printed.split("'") if f"'{word}':" in printed] == [
        "task_executor",
        "task_func",
        "task_broker",
        "e",
    ]


@pytest.mark.parametrize("task", seed.TASKS, ids=lambda task: task.__name__)
@pytest.mark.parametrize("plugin", seed.PLUGINS)
def test_a_returned_123_is_the_result(harness: Harness, plugin: Any, task: Any) -> None:
    harness.app.add_plugin(plugin())
    handle = run(harness, task)
    assert (handle.status, handle.returning) == ("success", 123)


@pytest.mark.parametrize("answer", [0, False, "", [], {"result": 5}])
def test_what_is_not_none_is_an_answer(harness: Harness, answer: Any) -> None:
    harness.app.add_plugin(type("Zero", (seed.Answering,), {"answer": answer})())
    handle = run(harness, seed.raising)
    assert handle.status == "success"
    assert handle.returning == (5 if answer == {"result": 5} else answer)


def test_the_last_answer_wins_and_a_failing_plugin_hides_none(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(self: Any, **kwargs: Any) -> None:
        msg = "broken plugin"
        raise OSError(msg)

    def add(name: str, **methods: Any) -> None:
        harness.app.add_plugin(type("Other", (seed.Answering,), methods)(name))

    add("one", answer=1)
    add("two", answer=2)
    add("broken", task_trigger_error=explode)
    harness.app.add_plugin(seed.TestPlugin("none"))
    assert run(harness, seed.raising).returning == 2
    assert "Plugin broken" in caplog.text
    assert harness.app.plugin_errors == {("broken", "task_executor_run_task_trigger_error"): 1}


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"component": "worker"},
        {"component": "task_executor"},
        {"trigger_names": ["task_executor_run_task_trigger_error"]},
    ],
)
def test_named_and_global_plugins_get_the_trigger(harness: Harness, how: dict[str, Any]) -> None:
    harness.app.add_plugin(seed.Answering(), **how)
    assert run(harness, seed.raising).returning == 123


def test_the_same_in_the_other_spelling(harness: Harness) -> None:
    class Typed(Plugin):
        @on("task_executor_run_task_trigger_error")
        async def task_trigger_error(self, e: Any, task_func: Any) -> Any:
            return f"{task_func.name}: {e}"

    harness.app.add_plugin(Typed())
    assert run(harness, seed.raising, name="t").returning == "t: Нестандартная ситуация"


@pytest.mark.parametrize(
    "plugin", [seed.PlainTrigger, seed.PlainTriggerAsyncHandler, seed.AsyncHandler]
)
def test_a_client_may_have_plugins_of_every_colour(harness: Harness, plugin: Any) -> None:
    async def later(priority: int) -> Any:
        await asyncio.sleep(0)
        return {"priority": priority + 1}

    def now(priority: int, **_: Any) -> Any:
        answer = {"priority": priority + 1}
        return answer if plugin is seed.PlainTrigger else later(priority)

    one = plugin()
    one.handlers = {"qtasks_add_task_before_broker": now}
    harness.app.add_plugin(one)
    priorities = [harness.do(harness.app.add_task("x")).priority for _ in range(2)]
    assert priorities == [1, 1]
