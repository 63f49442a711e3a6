"""Every trigger fires in a real app, with its arguments, as often as it should."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.brokers import BaseBroker
from qtasks.contracts.triggers import CATALOGUE, Kind
from qtasks.plugins import Plugin, on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Answering, Stage

#: Triggers of processes that look after workers: ``tests/supervisor/test_triggers.py`` has them.
SUPERVISED = {name for name, spec in CATALOGUE.items() if spec.roles == ("supervisor",)}
HERE = [name for name in CATALOGUE if name not in SUPERVISED]


def in_memory(test: Any) -> Any:
    """Has a test run on the queue in memory alone."""
    return pytest.mark.parametrize("url", ["memory"], indirect=True)(test)


def test_every_trigger_has_a_scene(scenes: Any) -> None:
    assert scenes.keys() == set(HERE)


@in_memory
@pytest.mark.parametrize("name", HERE)
def test_a_trigger_fires_with_its_arguments(
    scenes: Any, answering: type[Answering], stage: Stage, name: str
) -> None:
    plugin = answering()
    stage.app.add_plugin(plugin, trigger_names=[name])

    scenes[name](stage)

    assert plugin.calls
    for fired, arguments in plugin.calls:
        assert fired == name
        assert tuple(arguments) == CATALOGUE[name].arguments
        assert isinstance(arguments.get("broker", stage.app.broker), BaseBroker)


@in_memory
@pytest.mark.parametrize("name", HERE)
def test_a_trigger_fires_for_a_plugin_that_has_to_be_awaited(
    scenes: Any, answering: type[Answering], stage: Stage, name: str
) -> None:
    class Awaited(answering):  # type: ignore[valid-type,misc]  # the class comes from a fixture
        async def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
            return super().trigger(name, *args, **kwargs)

    plugin = Awaited()
    stage.app.add_plugin(plugin, trigger_names=[name])

    scenes[name](stage)

    assert set(plugin.names()) == {name}


def test_the_life_of_a_task_fires_in_its_order_on_every_server(
    answering: type[Answering], stage: Stage
) -> None:
    plugin = answering()
    stage.app.add_plugin(plugin)

    handle = stage.do(stage.same.add_task("x"))
    client = plugin.names()
    plugin.calls.clear()
    stage.harness.work()
    beside = {"global_config_set_status", "worker_exchanged", "worker_leases_kept"}
    worker = [name for name in plugin.names() if name not in beside]
    plugin.calls.clear()
    stage.do(stage.app.get(handle.id))

    connected = ["broker_start", "storage_start", "global_config_start"]
    assert client == [
        *connected,
        "qtasks_add_task_before_broker",
        "broker_add_before",
        "storage_add",
        "qtasks_publish",
        "broker_add_after",
        "qtasks_add_task_after_broker",
    ]
    assert worker == [
        "starter_start",
        *connected,
        "worker_start",
        "broker_listen_start",
        "broker_add_worker",
        "worker_add",
        "storage_add_process",
        "worker_run_task_before",
        "worker_execute_before",
        "task_executor_args_replace",
        "task_executor_fill",
        "task_executor_execute",
        "task_executor_before_execute",
        "task_executor_run_task",
        "task_executor_after_execute",
        "task_executor_after_execute_result_replace",
        "task_executor_decode",
        "worker_remove_finished_task",
        "broker_remove_finished_task",
        "broker_update",
        "storage_update",
        "task_executor_task_close",
        "storage_remove_finished_task",
        "worker_execute_after",
        "worker_outcome",
        "worker_stop",
        "global_config_stop",
        "storage_stop",
        "broker_stop",
        "starter_stop",
    ]
    assert plugin.names() == ["storage_get", "broker_get", "qtasks_get"]


# How often they fire


@in_memory
def test_triggers_of_a_task_fire_once_for_each_of_a_batch(
    answering: type[Answering], stage: Stage
) -> None:
    plugin = answering()
    stage.app.add_plugin(plugin)

    handles = stage.do(stage.app.add_tasks([stage.same.build(n) for n in range(7)]))
    stage.harness.work()
    for handle in handles:
        stage.do(handle.wait(5))

    often = {name: plugin.names().count(name) for name in plugin.names()}
    assert often["qtasks_publish"] == 1
    per_task = [name for name, spec in CATALOGUE.items() if spec.per_task and name in often]
    assert {often[name] for name in per_task} == {7}
    assert {"qtasks_get", "broker_get", "storage_get", "storage_update"} <= set(per_task)


@in_memory
def test_a_plugin_hears_of_the_tasks_it_applies_to_alone(
    answering: type[Answering], stage: Stage
) -> None:
    class Picky(answering):  # type: ignore[valid-type,misc]  # the class comes from a fixture
        def applies(self, task: Any) -> bool:
            return bool(task.name == "other")

    plugin = Picky()
    stage.app.add_plugin(plugin)
    per_task = {name for name, spec in CATALOGUE.items() if spec.per_task}

    stage.do(stage.app.get(stage.run(stage.same, "x").id))
    assert not per_task & set(plugin.names())
    stage.do(stage.app.get(stage.run(stage.other, "x").id))
    assert len(per_task & set(plugin.names())) > 15


@in_memory
def test_as_completed_shows_each_task_to_plugins(answering: type[Answering], stage: Stage) -> None:
    plugin = answering(
        storage_get=lambda result, **_: msgspec.structs.replace(result, reason="seen")
    )
    stage.app.add_plugin(plugin, ["storage_get", "qtasks_get"])
    handles = stage.do(stage.app.add_tasks([stage.same.build(n) for n in range(3)]))
    stage.harness.work()

    ended = stage.harness.collect(stage.app.as_completed(handles, timeout=5))

    assert [one.reason for one in ended] == ["seen"] * 3
    assert plugin.names().count("qtasks_get") == 3


@in_memory
def test_a_handle_that_was_waited_for_takes_over_another_record(
    answering: type[Answering], stage: Stage
) -> None:
    first = stage.run(stage.other, "first")
    stage.app.add_plugin(answering(qtasks_get=lambda **_: first), ["qtasks_get"])

    assert stage.run(stage.same, "second").returning == ["other", "first"]


@in_memory
def test_a_task_that_was_there_is_no_new_one(answering: type[Answering], stage: Stage) -> None:
    plugin = answering()
    stage.app.add_plugin(plugin)
    first = stage.do(stage.same.options(unique_key="k").add_task("x"))

    assert stage.do(stage.same.options(unique_key="k").add_task("x")).id == first.id

    assert plugin.names().count("broker_add_after") == 1
    assert plugin.names().count("qtasks_add_task_after_broker") == 2


@in_memory
def test_a_convicted_task_is_a_dead_letter(answering: type[Answering], stage: Stage) -> None:
    plugin = answering()
    stage.app.add_plugin(plugin, ["worker_dead_letter"])
    left = stage.left_behind(times=2)

    async def claim() -> None:
        from qtasks.schemas import Claim

        await stage.app.broker.claim(Claim(("default",), 1, 0.0, "dead-worker"))

    stage.await_(claim())
    stage.harness.work()

    [told] = plugin.of("worker_dead_letter")
    assert (told["uuid"], told["reason"], told["task_broker"]) == (left, "worker_lost", None)


def test_kinds_are_used() -> None:
    assert {spec.kind for spec in CATALOGUE.values()} == set(Kind)


@in_memory
def test_a_plugin_that_came_late_hears_of_the_end_and_may_wait(
    answering: type[Answering], stage: Stage
) -> None:
    class Waits(answering):  # type: ignore[valid-type,misc]  # the class comes from a fixture
        async def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            return super().trigger(name, *args, **kwargs)

    stage.do(stage.same.add_task("x"))
    plugin = Waits()
    stage.app.add_plugin(plugin, ["broker_stop"])

    stage.do(stage.app.close())

    assert plugin.names() == ["broker_stop"]


def test_headers_may_be_set_while_messages_are_published(stage: Stage) -> None:
    class Traced(Plugin):
        @on("qtasks_publish")
        @contextmanager
        def put(self, messages: Any) -> Iterator[None]:
            for message in messages:
                message.headers["trace"] = message.id
            yield

    stage.app.add_plugin(Traced())

    handle = stage.run(stage.same, "x")

    assert stage.do(stage.app.get(handle.id)).record.headers == {"trace": handle.id}
