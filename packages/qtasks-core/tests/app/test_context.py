"""``self.ctx``: what a running task learns of itself, and does to itself."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pytest

from qtasks.brokers import BaseBroker
from qtasks.configs import QueueConfig
from qtasks.exc import RetryLater, TaskArgumentsError, TaskCancelError, TaskFailedError
from qtasks.plugins import BasePlugin
from qtasks.storages import BaseStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness

    from qtasks import AsyncTask, SyncTask

#: What a context knows without asking anybody.
FACTS = ("task_uuid", "task_name", "attempt", "max_attempts", "is_last_attempt", "fencing_token")


class Named(BasePlugin):
    """Has a name, and does nothing."""

    def start(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def stop(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""


def look_around(ctx: Any, found: dict[str, Any]) -> None:
    """Notes everything that both colours get alike."""
    found |= {name: getattr(ctx, name) for name in FACTS}
    found |= {
        "logger": ctx.get_logger(),
        "other logger": ctx.get_logger("mail"),
        "broker": ctx.get_broker(),
        "storage": ctx.get_storage(),
        "config": ctx.get_config(),
        "components": {
            name: ctx.get_component(name)
            for name in ("app", "broker", "storage", "config", "worker", "Named")
        },
        "repr": repr(ctx),
    }
    with pytest.raises(LookupError, match=r"no component 'x'; there are Named, app, broker, con"):
        ctx.get_component("x")


@pytest.mark.parametrize("kind", ["coroutine", "function"])
def test_s24_a_task_learns_of_itself_and_its_app(harness: Harness, kind: str) -> None:
    found: dict[str, Any] = {}
    harness.app.add_plugin(Named())

    @harness.app.task(echo=True, name="coroutine")
    async def coroutine(self: AsyncTask) -> None:
        look_around(self.ctx, found)
        metadata = await self.ctx.get_metadata()
        assert await self.ctx.get_metadata() is metadata
        assert await self.ctx.get_metadata(cache=False) is not metadata
        found["metadata"] = metadata
        assert (await self.ctx.get_task()).id == metadata.id
        assert await self.ctx.get_task("00000000-0000-4000-8000-999999999999") is None
        with pytest.raises(TaskArgumentsError, match="ids are uuids"):
            await self.ctx.get_task("x")

    @harness.app.task(echo=True, name="function")
    def function(self: SyncTask) -> None:
        look_around(self.ctx, found)
        metadata = self.ctx.get_metadata()
        assert self.ctx.get_metadata() is metadata
        assert self.ctx.get_metadata(cache=False) is not metadata
        found["metadata"] = metadata
        assert self.ctx.get_task().id == metadata.id
        assert self.ctx.get_task("00000000-0000-4000-8000-999999999999") is None
        with pytest.raises(TaskArgumentsError, match="ids are uuids"):
            self.ctx.get_task("x")

    task = {"coroutine": coroutine, "function": function}[kind]
    handle = harness.do(task.add_task())
    harness.work()
    harness.do(handle.result(5))
    app = harness.app
    assert found["task_uuid"] == handle.uuid
    assert isinstance(found["task_uuid"], UUID)
    assert (found["task_name"], found["attempt"], found["fencing_token"]) == (
        kind,
        1,
        handle.record.token,
    )
    assert (found["max_attempts"], found["is_last_attempt"]) == (None, True)
    assert found["logger"] is logging.getLogger(f"qtasks.task.{kind}")
    assert found["other logger"] is logging.getLogger("qtasks.task.mail")
    assert found["broker"] is app.broker
    assert isinstance(found["broker"], BaseBroker)
    assert found["storage"] is app.storage
    assert isinstance(found["storage"], BaseStorage)
    assert found["config"] is app.config
    assert isinstance(found["config"], QueueConfig)
    assert found["components"]["app"].tasks is app.tasks
    assert found["components"]["Named"] is app.plugins["Named"]
    assert found["components"]["worker"].broker is app.broker
    assert (found["metadata"].id, found["metadata"].status) == (handle.id, "process")
    name = "AsyncContext" if kind == "coroutine" else "SyncContext"
    assert found["repr"] == f"<{name} of {kind} {handle.id}>"


def test_attempts_are_counted_against_what_a_policy_allows(harness: Harness) -> None:
    seen = []

    @harness.app.task(echo=True)
    def plain(self: SyncTask) -> None:
        seen.append((self.ctx.attempt, self.ctx.max_attempts, self.ctx.is_last_attempt))
        if not self.ctx.is_last_attempt:
            raise RetryLater

    # As a plugin with a policy does at registration.
    definitions = harness.app._definitions
    definitions["plain"] = msgspec.structs.replace(definitions["plain"], max_attempts=3)
    handle = harness.do(plain.add_task())
    while not harness.do(handle.refresh()).finished:
        harness.work()
    assert handle.status == "success"
    assert seen == [(1, 3, False), (2, 3, False), (3, 3, True)]


@pytest.mark.parametrize("kind", ["coroutine", "function"])
def test_s25_a_task_cancels_itself(harness: Harness, kind: str) -> None:
    caught: list[tuple[Any, ...]] = []

    def run(ctx: Any, how: str) -> str:
        if how == "bare":
            ctx.cancel()
        try:
            ctx.cancel("second thoughts", 1, how)
        except TaskCancelError as error:
            caught.append(error.args)
            if how == "again":
                raise
        return "went on"

    @harness.app.task(echo=True, name="coroutine")
    async def coroutine(self: AsyncTask, how: str, *, x: int) -> str:
        return run(self.ctx, how)

    @harness.app.task(echo=True, name="function")
    def function(self: SyncTask, how: str, *, x: int) -> str:
        return run(self.ctx, how)

    task = {"coroutine": coroutine, "function": function}[kind]
    handles = [harness.do(task.add_task(how, x=3)) for how in ("bare", "again", "caught")]
    harness.work()
    bare, again, went_on = (harness.do(handle.wait(5)) for handle in handles)
    assert (bare.status, bare.reason) == ("cancel", f"{kind}.cancel")
    assert (again.status, again.reason) == ("cancel", "second thoughts")
    assert (went_on.status, went_on.returning) == ("success", "went on")
    assert sorted(caught) == [("second thoughts", 1, "again"), ("second thoughts", 1, "caught")]
    for handle, how in zip((bare, again), ("bare", "again"), strict=True):
        found = harness.do(harness.app.get(handle.id))
        assert (found.args, found.kwargs, found.error) == ((how,), {"x": 3}, None)
        assert (found.record.dead, found.attempts, found.priority) == (False, 0, 0)


@pytest.mark.parametrize("kind", ["coroutine", "function"])
def test_s3_s13_a_task_asks_the_plugins(harness: Harness, kind: str) -> None:
    seen = []

    class Answer(Named):
        def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
            seen.append((kwargs["e"].args, kwargs["e"].kwargs))
            return None if kwargs["e"].args else 0

    harness.app.add_plugin(Answer(), ["task_executor_run_task_trigger_error"])

    @harness.app.task(echo=True, name="coroutine")
    async def coroutine(self: AsyncTask, *args: str, **kwargs: Any) -> None:
        self.ctx.plugin_error(*args, **kwargs)

    @harness.app.task(echo=True, name="function")
    def function(self: SyncTask, *args: str, **kwargs: Any) -> None:
        self.ctx.plugin_error(*args, **kwargs)

    task = {"coroutine": coroutine, "function": function}[kind]
    one = harness.do(task.add_task("reason"))
    two = harness.do(task.options().add_task(message="m", x=1))
    harness.work()
    with pytest.raises(TaskFailedError, match=r"TaskPluginTriggerError: reason$"):
        harness.do(one.result(5))
    assert harness.do(two.result(5)) == 0
    assert sorted(seen, key=repr) == [(("reason",), {}), ((), {"message": "m", "x": 1})]


def test_sleeping_lets_others_run(make_harness: Callable[..., Harness]) -> None:
    harness = make_harness(max_threads=2)
    order = []
    woken = threading.Event()

    @harness.app.task(echo=True)
    async def coroutine(self: AsyncTask) -> None:
        await self.ctx.sleep(0)
        order.append("coroutine")
        woken.set()

    @harness.app.task(echo=True)
    def function(self: SyncTask) -> None:
        while not woken.is_set():
            self.ctx.sleep(0.001)
        order.append("function")

    for task in (function, coroutine):
        harness.do(task.add_task())
    harness.work()
    assert order == ["coroutine", "function"]


def test_a_context_is_of_no_use_after_the_run(harness: Harness) -> None:
    kept: list[Any] = []

    @harness.app.task(echo=True)
    def function(self: SyncTask) -> None:
        kept.append(self)

    handle = harness.do(function.add_task())
    harness.work()
    (task,) = kept
    for call in (
        task.ctx.check,
        task.ctx.get_logger,
        task.ctx.get_broker,
        task.ctx.get_metadata,
        lambda: task.ctx.sleep(60),
        lambda: task.ctx.progress(1),
        task.add_task,
        task.options(delay=1).add_task,
    ):
        with pytest.raises(TaskCancelError, match="the run is over"):
            call()
    assert task.ctx.task_uuid == handle.uuid


def test_a_coroutine_may_hand_its_context_to_other_tasks_of_the_loop(harness: Harness) -> None:
    @harness.app.task(echo=True)
    async def coroutine(self: AsyncTask) -> list[str]:
        async def part(number: int) -> str:
            await self.ctx.sleep(0)
            return f"{self.ctx.task_name} {number}"

        return list(await asyncio.gather(part(1), part(2)))

    handle = harness.do(coroutine.add_task())
    harness.work()
    assert harness.do(handle.result(5)) == ["coroutine 1", "coroutine 2"]
