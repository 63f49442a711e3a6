"""Failures of plugins that are to be raised: where they come out, and what happens to tasks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import qtasks
import qtasks.asyncio
from qtasks.configs import QueueConfig
from qtasks.exc import PluginError
from qtasks.plugins import Plugin, on

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """One broker that hands the whole batch over at once, and one that goes to a file."""
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'q.db'}"


@pytest.fixture
def add(harness: Harness) -> Callable[..., None]:
    """Adds a plugin that fails in one trigger, and is not forgiven."""

    def add_failing(trigger: str, **how: Any) -> None:
        class Failing(Plugin):
            @on(trigger)
            def fail(self) -> None:
                msg = "the plugin's mistake"
                raise LookupError(msg)

        harness.app.add_plugin(Failing(), **{"on_error": "raise", **how})

    return add_failing


def test_a_failure_within_a_run_is_the_tasks(harness: Harness, add: Callable[..., None]) -> None:
    add("worker_execute_before")
    handle = harness.do(harness.app.task(name="x")(lambda: 5).add_task())
    harness.work()
    assert harness.do(handle.wait(5)).status == "error"
    assert handle.error.message == "the plugin's mistake"
    assert "in plugin Failing" in handle.error.traceback


def test_a_failure_about_a_failed_attempt_fails_the_task(
    harness: Harness, add: Callable[..., None]
) -> None:
    add("worker_task_error_retry")
    handle = harness.do(harness.app.task(name="x")(lambda: 1 / 0).add_task())
    harness.work()
    assert harness.do(handle.wait(5)).status == "error"
    assert handle.error.message == "the plugin's mistake"
    assert "ZeroDivisionError" in handle.error.traceback


@pytest.mark.parametrize("trigger", ["worker_start", "worker_outcome", "worker_stop"])
def test_a_failure_of_the_worker_ends_it_and_loses_nothing(
    harness: Harness, add: Callable[..., None], trigger: str
) -> None:
    add(trigger)
    task = harness.app.task(name="x")(lambda: 5)
    handles = [harness.do(task.add_task()) for _ in range(3)]
    with pytest.raises(LookupError, match="the plugin's mistake"):
        harness.work()
    for handle in handles:
        harness.do(handle.refresh())
        assert handle.status == ("new" if trigger == "worker_start" else "success")


def test_a_failure_of_the_client_is_the_callers(harness: Harness, add: Callable[..., None]) -> None:
    add("qtasks_get")
    handle = harness.do(harness.app.add_task("x"))
    with pytest.raises(LookupError, match="the plugin's mistake"):
        harness.do(harness.app.get(handle.id))


@pytest.mark.parametrize("source", ["argument", "environment"])
def test_strict_mode_raises_what_any_plugin_does(
    colour: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nonsense(Plugin):
        @on("qtasks_add_task_before_broker")
        def answer(self) -> Any:
            return 5

    if source == "environment":
        monkeypatch.setenv("QTASKS_STRICT_PLUGINS", "1")
    kind: Any = qtasks.QueueTasks if colour == "sync" else qtasks.asyncio.QueueTasks
    options = {"strict_plugins": True} if source == "argument" else {}
    app = kind(broker_url="memory://", config=QueueConfig(), **options)
    app.add_plugin(Nonsense())

    async def add() -> None:
        await app.add_task("x")

    with pytest.raises(PluginError, match="it answered 5; expected a dict"):
        app.add_task("x") if colour == "sync" else asyncio.run(add())
