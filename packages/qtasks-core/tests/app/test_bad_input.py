"""Bad input gets an error that names the thing, shows the value and says the fix."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

import qtasks
import qtasks.asyncio
from qtasks.brokers import MemoryBroker
from qtasks.configs import QueueConfig
from qtasks.exc import (
    ConfigError,
    DuplicateTaskError,
    EncodeError,
    PayloadTooLargeError,
    RegistrationError,
    TaskArgumentsError,
    UnknownSchemeError,
)
from qtasks.executors import AsyncTaskExecutor, SyncTaskExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness


@pytest.fixture(params=["memory"])
def url() -> str:
    """These need no server."""
    return "memory://"


@pytest.mark.usefixtures("no_other_brokers")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            "nats://host",
            r"no broker for 'nats://host'. Known schemes: memory, redis, rediss, sqlite",
        ),
        ("kafka://user:secret@host", r"pip install qtasks-broker-kafka"),
        ("reids://user:secret@host", r"Did you mean redis://\?"),
        ("qtasks.db", r"broker URL 'qtasks.db' has no scheme; write for example 'sqlite:///"),
    ],
)
def test_unknown_schemes_name_the_known_and_the_package(wrong: str, message: str) -> None:
    for kind in (qtasks.QueueTasks, qtasks.asyncio.QueueTasks):
        with pytest.raises(UnknownSchemeError, match=message) as caught:
            kind(broker_url=wrong)
        assert "secret" not in str(caught.value)
    with pytest.raises(UnknownSchemeError, match="no storage for 'nats"):
        qtasks.QueueTasks(broker_url="memory://", storage_url="nats://host")


@pytest.mark.parametrize("wrong", [5, ""])
def test_a_url_is_text_with_a_scheme(wrong: Any) -> None:
    with pytest.raises(UnknownSchemeError, match=f"broker URL {wrong!r} has no scheme"):
        qtasks.QueueTasks(broker_url=wrong)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda kind: kind("redis://:secret@host"), "name='redis://:.+@host': .* broker_url="),
        (lambda kind: kind(broker="memory://"), "broker='memory://': .* broker_url="),
        (lambda kind: kind(storage="memory://"), "storage='memory://': .* storage_url="),
    ],
)
def test_a_url_in_the_wrong_place_is_refused(make: Callable[[Any], Any], said: str) -> None:
    for kind in (qtasks.QueueTasks, qtasks.asyncio.QueueTasks):
        with pytest.raises(ConfigError, match=said):
            make(kind)


@pytest.mark.parametrize("setting", ["broker_url", "storage_url"])
def test_a_wrong_url_of_the_environment_names_its_variable(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = f"QTASKS_{setting.upper()}"
    monkeypatch.setenv(variable, "nats://:secret@host")

    with pytest.raises(UnknownSchemeError) as caught:
        qtasks.QueueTasks()
    assert str(caught.value).startswith(f"the URL from {variable}: no ")
    assert "secret" not in str(caught.value)


def test_settings_are_no_app_options() -> None:
    with pytest.raises(ConfigError, match=r"write config=QueueConfig\(lease=\.\.\.\)"):
        qtasks.QueueTasks(lease=3)  # type: ignore[call-arg]  # the mistake under test


def test_queues_may_be_one_name_but_not_none(harness: Harness) -> None:
    assert harness.app.worker(queues="slow").queues == ("slow",)
    assert [stats.queue for stats in harness.do(harness.app.stats("slow"))] == ["slow"]
    with pytest.raises(RegistrationError, match="no queue was named"):
        harness.app.worker(queues=[])
    with pytest.raises(RegistrationError, match="'a b' is not a queue name"):
        harness.app.worker(queues=["a b"])


def test_a_bad_timeout_is_found_before_anything_is_queued(harness: Harness) -> None:
    with pytest.raises(TaskArgumentsError, match="timeout='x': use seconds"):
        harness.do(harness.app.add_task("x", timeout="x"))
    assert harness.do(harness.app.list_tasks()) == ([], None)


def test_guesses_are_offered(harness: Harness) -> None:
    @harness.app.task
    def hello(name: str) -> None:
        """Does nothing."""

    for keywords, hint in (
        ({"dealy": 3}, "did you mean delay"),
        ({"name_": 3}, "did you mean name"),
        ({"max_time": 3}, r"an option of the declaration: @app.task\(max_time="),
    ):
        with pytest.raises(TaskArgumentsError, match=hint):
            harness.do(hello.add_task("a", **keywords))
    with pytest.raises(TaskArgumentsError, match=r"write hello.options\(delay="):
        hello.build("a", delay=3)


def test_add_tasks_takes_calls(harness: Harness) -> None:
    @harness.app.task
    def hello(name: str) -> None:
        """Does nothing."""

    with pytest.raises(TaskArgumentsError, match="add_tasks takes many calls"):
        harness.do(harness.app.add_tasks(hello.build("a")))
    handle = harness.do(hello.add_task("a"))
    with pytest.raises(TaskArgumentsError, match=r"what task.build\(\.\.\.\) returns, not <"):
        harness.do(harness.app.add_tasks([handle]))


def test_run_forever_inside_a_loop_names_the_way() -> None:
    async def inside() -> None:
        qtasks.QueueTasks(broker_url="memory://").run_forever()

    with pytest.raises(RuntimeError, match=r"async with app.worker\(\):"):
        asyncio.run(inside())


def test_unknown_app_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown option 'url'; known are broker_url"):
        qtasks.QueueTasks(url="memory://")  # type: ignore[call-arg]  # the mistake under test


def test_broker_and_url_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match=r"both broker=.* and broker_url='memory://' were given"):
        qtasks.QueueTasks(broker=MemoryBroker(), broker_url="memory://")


def test_the_environment_chooses_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_BROKER_URL", "nope://x")
    with pytest.raises(UnknownSchemeError, match="nope"):
        qtasks.QueueTasks()


def test_wrong_arguments_fail_in_the_caller_with_the_signature(harness: Harness) -> None:
    @harness.app.task
    def thumbnail(path: str, width: int = 256) -> str:
        return path * width

    signature = r"the task is thumbnail\(path: 'str', width: 'int' = 256\) -> 'str'"
    for call in (
        thumbnail.add_task,
        lambda: thumbnail.add_task("a", widht=3),
        lambda: thumbnail.options(delay=1).add_task(),
        lambda: harness.app.add_task("thumbnail", 1, 2, 3),
    ):
        with pytest.raises(TaskArgumentsError, match=signature):
            harness.do(call())
    assert harness.do(harness.app.list_tasks()) == ([], None)


def test_arguments_that_cannot_be_encoded_are_named(harness: Harness) -> None:
    @harness.app.task
    def store(data: Any, more: Any = None) -> None:
        """Does nothing."""

    with pytest.raises(EncodeError, match=r"call of store.*argument 1\['f'\].*is a builtins\.func"):
        harness.do(store.add_task({"f": lambda: None}))
    with pytest.raises(EncodeError, match=r"argument 'more' cannot be encoded"):
        harness.do(store.add_task(1, more=object()))
    assert harness.do(harness.app.list_tasks()) == ([], None)


def test_one_bad_call_keeps_the_whole_batch_out(harness: Harness) -> None:
    @harness.app.task
    def store(data: Any) -> None:
        """Does nothing."""

    with pytest.raises(EncodeError):
        harness.do(harness.app.add_tasks([store.build(1), store.build(object())]))
    assert harness.do(harness.app.list_tasks()) == ([], None)


def test_payloads_over_the_limit_are_refused(make_harness: Callable[..., Harness]) -> None:
    harness = make_harness(max_payload=100)
    with pytest.raises(PayloadTooLargeError, match=r"over the limit of 100: pass a reference"):
        harness.do(harness.app.add_task("x", "a" * 200))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"priority": 128}, "priority=128; use a whole number from -128|priority=128: use a whole"),
        ({"priority": True}, "priority=True"),
        ({"delay": -1}, "delay=-1: use seconds from 0 up"),
        ({"delay": "soon"}, "delay='soon'"),
        ({"delay": float("nan")}, "delay=nan"),
        ({"expires": -1}, "expires=-1"),
        ({"eta": datetime(2030, 1, 1)}, "has no time zone"),  # noqa: DTZ001 - the mistake under test
        ({"eta": "tomorrow"}, "eta='tomorrow': use an aware datetime"),
        ({"eta": float("nan")}, "eta=nan: use an aware datetime"),
        ({"eta": 10**400}, "use an aware datetime"),
        ({"delay": 10**400}, "use seconds from 0 up"),
        ({"unique_key": 7}, "unique_key=7 is not text"),
        ({"unique_key": "\ud800"}, "is not text"),
        ({"headers": {"a": "\ud800"}}, "is not text"),
        ({"task_id": "7"}, "task_id='7' is not a uuid"),
        ({"headers": {"a": 1}}, "'a': 1 is not text"),
        ({"headers": {"a": "b" * 20_000}}, "headers take 20,001 bytes, over the limit of 16,384"),
    ],
)
def test_options_are_checked(harness: Harness, options: dict[str, Any], message: str) -> None:
    with pytest.raises((TaskArgumentsError, PayloadTooLargeError), match=message):
        harness.do(harness.app.add_task("x", **options))


@pytest.mark.parametrize("name", ["a:b", "a b", "a\nb", "", "x" * 201, "é\x00", 5])
def test_names_that_would_break_keys_or_logs_are_refused(harness: Harness, name: Any) -> None:
    with pytest.raises(RegistrationError, match=r"is not a task name|name is text"):
        harness.do(harness.app.add_task(name))
    if name:
        with pytest.raises(RegistrationError, match=r"task name|name is text"):
            harness.app.task(name=name)(print)
    with pytest.raises(RegistrationError, match="queue name"):
        harness.do(harness.app.add_task("fine", queue=name or "a:"))


def test_two_tasks_of_one_name_are_refused_with_both_places(harness: Harness) -> None:
    harness.app.task(name="twice")(lambda: 1)
    with pytest.raises(
        DuplicateTaskError,
        match=r"two tasks are named 'twice': .*bad_input.*\.py:\d+ and .*\.py:\d+",
    ):
        harness.app.task(name="twice")(lambda: 2)


class WithRun(SyncTaskExecutor):
    def run_task(self) -> Any:
        return super().run_task()


class Colourless(SyncTaskExecutor):
    async def decode(self) -> Any:
        return 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tiem": 3}, "unknown option 'max_tiem', did you mean 'max_time'"),
        ({"rerty": 3}, "unknown option 'rerty', did you mean 'retry'"),
        ({"ehco": True}, "unknown option 'ehco', did you mean 'echo'"),
        ({"retry_on_exec": [OSError]}, "did you mean 'retry_on_exc'"),
        ({"max_time": 0}, "max_time=0; use seconds above 0"),
        ({"max_time": "3"}, "max_time='3'"),
        ({"priority": 1.5}, "priority=1.5"),
        ({"queue": "a b"}, "'a b' is not a queue name"),
        ({"pool": "fiber"}, "pool='fiber'; a function runs in 'thread' or 'process' or 'loop'"),
        ({"ack": "never"}, "ack='never'; use 'group' or 'immediate'"),
        ({"retry": 3}, "pip install qtasks-plugin-retry"),
        ({"echo": "yes"}, "echo='yes'; use True or False"),
        ({"executor": AsyncTaskExecutor}, "needs a subclass of qtasks.executors.SyncTaskExecutor"),
        ({"executor": "x"}, "needs a subclass"),
        ({"executor": Colourless}, "Colourless.decode must be `def` in this executor"),
        ({"store_result": "no"}, "store_result='no'; use True or False"),
        ({"executor": WithRun, "pool": "process"}, "WithRun.run_task cannot be overridden"),
    ],
)
def test_decorator_options_are_checked(
    harness: Harness, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(RegistrationError, match=message):
        harness.app.task(name="t", **options)(str.upper)
    assert harness.app.tasks == {}


def test_unknown_options_are_kept_for_plugins(harness: Harness) -> None:
    harness.app.task(name="t", team="billing")(print)
    assert harness.app.tasks["t"].extra == {"team": "billing"}


def test_only_functions_can_be_tasks(harness: Harness) -> None:
    with pytest.raises(RegistrationError, match="5 is no function"):
        harness.app.task(name="five")(5)
    with pytest.raises(RegistrationError, match="is no function"):
        harness.app.task(name="class")(dict)
    with pytest.raises(RegistrationError, match=r"task\(name=5\): a name is text"):
        harness.app.task(5)(print)


def test_ids_are_uuids(harness: Harness) -> None:
    with pytest.raises(TaskArgumentsError, match="'7' is not the id of a task: ids are uuids"):
        harness.do(harness.app.get("7"))


def test_settings_of_an_app_are_shared(harness: Harness) -> None:
    assert isinstance(harness.app.config, QueueConfig)
    assert harness.app.worker().config is harness.app.config
