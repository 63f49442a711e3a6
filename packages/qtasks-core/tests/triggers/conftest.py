"""What makes every trigger fire: one short scene for each, played on a real app."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.exc import TaskPluginTriggerError
from qtasks.middlewares import TaskMiddleware
from qtasks.plugins import BasePlugin
from qtasks.schemas import Claim
from qtasks.stats import AsyncStats, SyncStats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Harness

    from qtasks.schemas import TaskDefinition

#: How each trigger is made to fire, by its name.
SCENES: dict[str, Callable[[Stage], Any]] = {}


class Answering(BasePlugin):
    """Answers triggers from a dictionary of values or functions, and remembers all it was told."""

    def __init__(self, name: str | None = None, **answers: Any) -> None:
        super().__init__(name)
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def fills(self, task: TaskDefinition) -> list[str]:
        """Fills in what is called ``filled``."""
        return [name for name in task.signature.parameters if name == "filled"]

    def start(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def stop(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        self.calls.append((name, kwargs))
        answer = self.answers.get(name)
        return answer(**kwargs) if callable(answer) else answer

    def names(self) -> list[str]:
        """Returns the names of the triggers, in order."""
        return [name for name, _ in self.calls]

    def of(self, name: str) -> list[dict[str, Any]]:
        """Returns the arguments with which a trigger fired, each time."""
        return [kwargs for found, kwargs in self.calls if found == name]


class Passing(TaskMiddleware):
    """Does nothing."""

    async def __call__(self) -> None:
        """Does nothing."""


class Stage:
    """An app with some tasks.

    Args:
        harness: drives the app.
    """

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.app = harness.app
        app = self.app

        @app.task
        async def same(x: Any) -> Any:
            return x

        @app.task
        def other(x: Any) -> Any:
            return ["other", x]

        @app.task
        def fail() -> None:
            msg = "as it should"
            raise ValueError(msg)

        @app.task
        def ask() -> None:
            msg = "a reason"
            raise TaskPluginTriggerError(msg)

        @app.task
        def give() -> Iterator[int]:
            yield 1
            yield 2

        @app.task
        def stop_all() -> None:
            app.stop()

        self.same, self.other, self.fail, self.ask = same, other, fail, ask
        self.give, self.stop_all = give, stop_all

    def do(self, call: Any) -> Any:
        """Returns the value of a call to the app."""
        return self.harness.do(call)

    def run(self, task: Any = None, *args: Any) -> Any:
        """Adds a task, works it off, and returns its handle."""
        task = task or self.same
        handle = self.do(task.add_task(*(args or (("x",) if task is self.same else ()))))
        self.harness.work()
        return self.do(handle.wait(5))

    def result(self, *args: Any) -> Any:
        """Returns what a task returns, to whoever reads its record as it was written."""
        handle = self.do(self.same.add_task(*(args or ("x",))))
        self.harness.work()
        return self.do(handle.result(5))

    def left_behind(self, *, times: int = 1) -> str:
        """Leaves a task behind as a worker does that dies; returns its id."""
        handle = self.do(self.same.add_task("left"))
        broker = self.app.broker

        async def lose() -> None:
            await broker.start()
            for _ in range(times):
                taken = await broker.claim(Claim(("default",), 1, 600.0, "dead-worker"))
                assert [one.id for one in taken] == [handle.id]
                await broker.expire("dead-worker")

        self.await_(lose())
        return str(handle.id)

    def abandoned(self) -> str:
        """Leaves a task with a worker that renews no lease; returns its id."""
        handle = self.do(self.same.add_task("left"))
        broker = self.app.broker

        async def claim() -> None:
            await broker.start()
            taken = await broker.claim(Claim(("default",), 1, 0.0, "dead-worker"))
            assert [one.id for one in taken] == [handle.id]

        self.await_(claim())
        return str(handle.id)

    def await_(self, coroutine: Any) -> Any:
        """Runs a coroutine on the loop of the tests."""
        return self.harness._runner.run(coroutine)

    def stats(self) -> Any:
        """Looks at the app."""
        kind: Any = SyncStats if self.harness.colour == "sync" else AsyncStats
        return self.do(kind(self.app).inspect())


def scene(*names: str) -> Callable[[Callable[[Stage], Any]], Callable[[Stage], Any]]:
    """Says which triggers a scene makes fire."""

    def add(play: Callable[[Stage], Any]) -> Callable[[Stage], Any]:
        SCENES.update(dict.fromkeys(names, play))
        return play

    return add


@scene(
    "qtasks_add_task_before_broker",
    "qtasks_add_task_after_broker",
    "qtasks_publish",
    "broker_start",
    "broker_add_before",
    "broker_add_after",
    "storage_start",
    "storage_add",
    "global_config_start",
)
def add(stage: Stage) -> None:
    """Adds a task."""
    stage.do(stage.same.add_task("x"))


@scene("broker_stop", "storage_stop", "global_config_stop")
def leave(stage: Stage) -> None:
    """Adds a task and closes the app."""
    stage.do(stage.same.add_task("x"))
    stage.do(stage.app.close())


@scene("qtasks_get", "broker_get", "storage_get")
def get(stage: Stage) -> None:
    """Asks for a task."""
    assert stage.do(stage.app.get(stage.do(stage.same.add_task("x")).id)) is not None


@scene("storage_get_all")
def list_all(stage: Stage) -> None:
    """Lists tasks."""
    stage.do(stage.app.list_tasks())


@scene("qtasks_ping")
def ping(stage: Stage) -> None:
    """Asks whether somebody is there."""
    assert stage.do(stage.app.ping()) is False
    assert stage.do(stage.app.ping(server=False)) is True


@scene("qtasks_flush_all", "broker_flush_all", "storage_flush_all")
def flush(stage: Stage) -> None:
    """Removes everything."""
    stage.do(stage.app.flush_all())


@scene("stats_inspect")
def inspect(stage: Stage) -> None:
    """Looks at the app."""
    assert "QueueTasks" in stage.stats().app()


@scene(
    "global_config_set",
    "global_config_get",
    "global_config_get_all",
    "global_config_get_match",
)
def share(stage: Stage) -> None:
    """Shares a value."""
    config = stage.app.global_config
    stage.do(config.set("mail", "host", "localhost"))
    assert stage.do(config.get("mail", "host")) == "localhost"
    assert stage.do(config.get_all("mail")) == {"host": "localhost"}
    assert stage.do(config.get_match("mail:*")) == {"mail:host": "localhost"}


@scene(
    "broker_add_worker",
    "broker_listen_start",
    "broker_remove_finished_task",
    "broker_update",
    "global_config_set_status",
    "starter_start",
    "starter_stop",
    "storage_add_process",
    "storage_remove_finished_task",
    "storage_update",
    "task_executor_after_execute",
    "task_executor_after_execute_result_replace",
    "task_executor_args_replace",
    "task_executor_before_execute",
    "task_executor_decode",
    "task_executor_execute",
    "task_executor_fill",
    "task_executor_run_task",
    "task_executor_task_close",
    "worker_add",
    "worker_execute_after",
    "worker_execute_before",
    "worker_outcome",
    "worker_remove_finished_task",
    "worker_run_task_before",
    "worker_start",
    "worker_stop",
)
def run(stage: Stage) -> None:
    """Runs a task."""
    assert stage.run().returning == "x"


@scene("worker_task_error_retry", "worker_dead_letter")
def fail(stage: Stage) -> None:
    """Fails a task."""
    assert stage.run(stage.fail).status == "error"


@scene("task_executor_run_task_trigger_error")
def ask(stage: Stage) -> None:
    """Runs a task that asks the plugins for a result."""
    stage.run(stage.ask)


@scene("task_executor_middlewares_execute")
def pass_middlewares(stage: Stage) -> None:
    """Runs a task with middlewares."""
    stage.app.add_middleware(Passing)
    stage.app.add_middleware(Passing, position="after")
    run(stage)


@scene("task_executor_run_task_gen")
def give(stage: Stage) -> None:
    """Runs a generator."""
    assert stage.run(stage.give).returning == [1, 2]


@scene("qtasks_stop")
def stop(stage: Stage) -> None:
    """Stops the app while a worker runs."""
    stage.run(stage.stop_all)


@scene("worker_lease_lost")
def lose(stage: Stage) -> None:
    """Runs a task whose lease is taken back meanwhile."""
    lost: list[bool] = []

    @stage.app.task(echo=True)
    async def late(self: Any) -> None:
        if not lost:
            lost.append(True)
            await stage.app.broker.expire(self.ctx.get_component("worker").id)

    assert stage.run(late).status == "success"


@scene("worker_exchanged")
def exchange(stage: Stage) -> None:
    """Runs a task."""
    stage.run()


@scene("worker_leases_kept")
def keep(stage: Stage) -> None:
    """Runs a task until its lease was renewed, or long enough for that."""
    heard = [one for one in stage.app.plugins.values() if isinstance(one, Answering)]

    @stage.app.task
    async def lasting() -> None:
        for _ in range(100):
            if any("worker_leases_kept" in plugin.names() for plugin in heard):
                return
            await asyncio.sleep(0.01)

    stage.app.config.lease = 0.2
    assert stage.run(lasting).status == "success"


@scene("broker_running_older_tasks", "storage_running_older_tasks")
def take_back(stage: Stage) -> None:
    """Takes back a task of a worker that is gone."""
    stage.abandoned()
    stage.harness.work()


@scene("storage_delete_finished_tasks")
def clear_up(stage: Stage) -> None:
    """Removes a record whose time is over."""
    stage.app.config.result_ttl = 1e-6
    handle = stage.do(stage.same.add_task("x"))
    stage.harness.work()
    with contextlib.suppress(LookupError):  # the keeper may have been here already
        stage.do(handle.wait(5))
    stage.harness.work()


@scene("plugin_error")
def err(stage: Stage) -> None:
    """Runs a task while a plugin fails."""

    def broken(**_: Any) -> None:
        msg = "broken"
        raise RuntimeError(msg)

    stage.app.add_plugin(Answering("broken", worker_outcome=broken), ["worker_outcome"])
    assert stage.run().returning == "x"


# What tests get


@pytest.fixture
def scenes() -> dict[str, Callable[[Stage], Any]]:
    """How each trigger is made to fire, by its name."""
    return SCENES


@pytest.fixture
def stage_of() -> Callable[[Harness], Stage]:
    """Makes a stage of an app."""
    return Stage


@pytest.fixture
def stage(harness: Harness) -> Stage:
    """An app with some tasks."""
    return Stage(harness)


@pytest.fixture
def answering() -> type[Answering]:
    """The class of plugins that answer what they are told to."""
    return Answering
