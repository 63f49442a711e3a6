"""`INJECTED` is the default of what plugins fill in, and never reaches a task."""

from __future__ import annotations

import asyncio
import copy
import importlib
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qtasks import INJECTED
from qtasks.exc import TaskArgumentsError
from qtasks.plugins import BasePlugin

if TYPE_CHECKING:
    from conftest import Harness


class Injector(BasePlugin):
    """Fills in ``session``."""

    def start(self, *args: Any, **kwargs: Any) -> None: ...

    def stop(self, *args: Any, **kwargs: Any) -> None: ...

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return {"kw": {**kwargs["kw"], "session": 40}}


def plain(x: int, session: Any = INJECTED) -> int:
    return x + int(session)


async def coroutine(x: int, *, session: Any = INJECTED) -> int:
    return x + int(session)


@pytest.mark.parametrize("function", [plain, coroutine])
def test_a_plugin_fills_it_in(harness: Harness, function: Any) -> None:
    task = harness.app.task(function)
    harness.app.add_plugin(Injector(), trigger_names="task_executor_args_replace")
    handle = harness.do(task.add_task(2))

    harness.work()

    assert harness.do(handle.result(timeout=10)) == 42


@pytest.mark.parametrize("function", [plain, coroutine])
def test_without_an_injector_the_task_fails_and_names_the_parameter(
    harness: Harness, function: Any
) -> None:
    task = harness.app.task(function)
    handle = harness.do(task.add_task(2))

    harness.work()

    error = harness.do(handle.wait(timeout=10)).error
    assert error.type == "qtasks.exc.TaskArgumentsError"
    assert error.message.startswith(f"{task.task_name}: nothing injected session: add the plugin")


@pytest.mark.parametrize("url", ["memory"], indirect=True)
def test_a_direct_call_passes_it_or_is_refused(harness: Harness) -> None:
    task, other = harness.app.task(plain), harness.app.task(coroutine)

    assert task(2, 3) == 5
    assert task(2, session=3) == 5
    assert asyncio.run(other(2, session=3)) == 5
    with pytest.raises(TaskArgumentsError, match="nothing injected session"):
        task(2)
    with pytest.raises(TaskArgumentsError, match="pass session="):
        task(2, INJECTED)
    with pytest.raises(TaskArgumentsError, match="nothing injected session"):
        asyncio.run(other(2))


@pytest.mark.parametrize("url", ["memory"], indirect=True)
def test_it_works_in_pool_processes(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "worker")
    functions = importlib.import_module("process_tasks")
    task = harness.app.task(pool="process")(functions.wants_session)
    filled = harness.do(task.add_task(2, 3))
    empty = harness.do(task.add_task(2))

    harness.work()

    assert harness.do(filled.result(timeout=10)) == 5
    assert "nothing injected session" in harness.do(empty.wait(timeout=10)).error.message


@pytest.mark.parametrize("url", ["memory"], indirect=True)
def test_a_task_without_it_keeps_its_own_function(harness: Harness) -> None:
    def usual(x: int) -> int:
        return x

    assert harness.app.task(usual).definition.func is usual


def test_there_is_one_value_of_it() -> None:
    assert repr(INJECTED) == "INJECTED"
    assert copy.deepcopy(INJECTED) is INJECTED
    assert pickle.loads(pickle.dumps(INJECTED)) is INJECTED  # as multiprocessing would
