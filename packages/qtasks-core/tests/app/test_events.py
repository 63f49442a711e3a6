"""`app.events`: who is told what, and when; handlers of both colours, in both apps."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

import qtasks.events
from qtasks.app import telling
from qtasks.app.events import EVENTS
from qtasks.exc import Discard, RegistrationError, Reject, RetryLater, Snooze, TaskCancelError
from qtasks.schemas import Cancel, Fail, Retry, Success

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness

in_memory = pytest.mark.parametrize("url", ["memory"], indirect=True)


class Told:
    """Notes what is told, through handlers of both colours by turns."""

    def __init__(self, harness: Harness, *events: str) -> None:
        self.notes: list[tuple[str, dict[str, Any]]] = []
        for number, event in enumerate(events or EVENTS):
            handler = self.async_handler(event) if number % 2 else self.plain_handler(event)
            getattr(harness.app.events.on, event)(handler)

    def plain_handler(self, event: str) -> Callable[..., Any]:
        def handler(**arguments: Any) -> None:
            self.notes.append((event, arguments))

        return handler

    def async_handler(self, event: str) -> Callable[..., Any]:
        async def handler(**arguments: Any) -> None:
            await asyncio.sleep(0)
            self.notes.append((event, arguments))

        return handler

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.notes]

    def of(self, event: str) -> dict[str, Any]:
        (arguments,) = (arguments for told, arguments in self.notes if told == event)
        return arguments


def raises(error: BaseException) -> Callable[[], None]:
    def task() -> None:
        raise error

    return task


def test_a_life_is_told_in_order(harness: Harness) -> None:
    told = Told(harness)
    task = harness.app.task(name="greet")(lambda: "hello")
    harness.do(task.add_task())

    harness.work()

    assert told.events == [
        "starting",
        "worker_running",
        "task_running",
        "task_success",
        "task_stopping",
        "worker_stopping",
        "stopping",
    ]


def test_every_event_gives_what_it_is_documented_to_give(harness: Harness) -> None:
    told = Told(harness)
    functions = {"ok": lambda: 1, "bad": raises(ValueError()), "no": raises(Discard())}
    for name, function in functions.items():
        harness.do(harness.app.task(name=name)(function).add_task())
        harness.work()

    assert {event for event, _ in told.notes} == set(EVENTS)
    assert all(set(arguments) == set(EVENTS[event]) for event, arguments in told.notes)
    success = told.of("task_success")
    assert success["app"] is harness.app
    assert success["task_func"] is harness.app.tasks["ok"]
    assert success["task_broker"].message.task == "ok"
    assert isinstance(success["model"], Success)
    assert isinstance(told.of("task_error")["model"], Fail)
    assert isinstance(told.of("task_cancel")["model"], Cancel)
    assert {arguments["number"] for event, arguments in told.notes if "worker" in event} == {0}


@pytest.mark.parametrize(
    ("error", "events"),
    [
        (ValueError("bad"), ["task_error"]),
        (SystemExit(3), ["task_error"]),
        (Reject("never"), ["task_error"]),
        (Discard("useless"), ["task_cancel"]),
        (TaskCancelError("enough"), ["task_cancel"]),
        (RetryLater(3600), []),
        (Snooze(3600), []),
    ],
)
def test_the_end_of_a_run_decides_what_is_told(
    harness: Harness, error: BaseException, events: list[str]
) -> None:
    told = Told(harness, "task_success", "task_error", "task_cancel", "task_stopping")
    harness.do(harness.app.task(name="end")(raises(error)).add_task())

    harness.work()

    assert told.events == [*events, "task_stopping"]
    assert told.of("task_stopping")["task_func"] is harness.app.tasks["end"]
    if not events:
        assert isinstance(told.of("task_stopping")["model"], Retry)


def test_an_end_is_told_when_the_broker_has_it(harness: Harness) -> None:
    statuses = []

    @harness.app.events.on.task_success
    async def look(worker: Any, task_broker: Any) -> None:
        (record,) = await worker.broker.storage.get([task_broker.id])
        statuses.append(record.status)

    harness.do(_nothing(harness).add_task())
    harness.work()

    assert statuses == ["success"]


def _nothing(harness: Harness) -> Any:
    def nothing() -> None: ...

    return harness.app.task(nothing)


@in_memory
def test_both_spellings_register_and_leave_the_function(harness: Harness) -> None:
    calls: list[str] = []

    @harness.app.events.on.starting
    def bare() -> None:
        calls.append("bare")

    @harness.app.events.on.starting()
    async def with_parentheses(app: Any) -> None:
        calls.append(app.name)

    harness.app.events.add("starting", lambda worker: calls.append(type(worker).__name__))
    bare()
    assert calls == ["bare"]

    harness.work()

    assert calls == ["bare", "bare", "QueueTasks", "Worker"]


@in_memory
def test_a_handler_gets_the_arguments_that_it_names(harness: Harness) -> None:
    calls: list[Any] = []

    @harness.app.events.on.task_success
    def some(task_broker: Any, *, more: int = 5) -> None:
        calls.append((task_broker.message.task, more))

    harness.do(_nothing(harness).add_task())
    harness.work()

    assert calls == [("nothing", 5)]


@in_memory
def test_a_handler_that_raises_changes_nothing(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told(harness, "task_success")

    @harness.app.events.on.task_running
    def bad(**_: Any) -> None:
        raise Reject

    @harness.app.events.on.task_success
    async def worse(**_: Any) -> None:
        raise SystemExit(3)

    handle = harness.do(_nothing(harness).add_task())
    harness.work()

    assert harness.do(handle.wait(timeout=10)).status == "success"
    assert told.events == ["task_success"]
    assert [record.name for record in caplog.records] == ["qtasks.events"] * 2
    assert "bad of the event task_running failed" in caplog.text
    assert "worse of the event task_success failed" in caplog.text


@in_memory
@pytest.mark.parametrize("plain", [True, False])
def test_a_handler_that_hangs_is_left_after_its_time(
    harness: Harness,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    plain: bool,
) -> None:
    monkeypatch.setattr(telling, "EVENT_TIME", 0.01)
    ever = threading.Event()

    async def hang() -> None:
        await asyncio.Event().wait()

    harness.app.events.add("task_running", ever.wait if plain else hang)
    handle = harness.do(_nothing(harness).add_task())
    harness.work()
    ever.set()

    assert harness.do(handle.wait(timeout=10)).status == "success"
    assert "of the event task_running took over 0.01 s" in caplog.text


@in_memory
def test_a_timeout_of_the_handlers_own_is_told_as_it_is(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.app.events.add("starting", raises(TimeoutError("mine")))

    harness.work()

    assert "TimeoutError: mine" in caplog.text


@in_memory
def test_plain_handlers_run_beside_the_loop_and_know_the_task(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    @harness.app.events.on.task_success
    def speak(task_broker: Any) -> None:
        assert threading.current_thread().name.startswith("qtasks-event")
        logging.getLogger("shop").warning("done")

    handle = harness.do(_nothing(harness).add_task())
    harness.work()

    (record,) = caplog.records
    assert vars(record)["task_id"] == handle.id


@in_memory
def test_a_slow_handler_does_not_keep_the_worker(harness: Harness) -> None:
    first_told, second_ran = threading.Event(), threading.Event()

    @harness.app.task
    def task(number: int) -> None:
        if number:
            second_ran.set()

    @harness.app.events.on.task_success
    def wait(task_broker: Any) -> None:
        if not first_told.is_set():
            first_told.set()
            assert second_ran.wait(30)

    harness.app.config.max_tasks_process = 1
    harness.app.config.prefetch = 0
    handles = [harness.do(task.add_task(number)) for number in (0, 1)]

    harness.work()

    assert second_ran.is_set()
    assert [harness.do(handle.refresh()).status for handle in handles] == ["success"] * 2


@in_memory
def test_a_task_that_nobody_knows_is_told_as_an_error_without_a_run(harness: Harness) -> None:
    told = Told(harness, "task_cancel", "task_running", "task_stopping", "task_error")
    harness.do(harness.app.add_task("not_known_here"))
    harness.app.config.unknown_task_grace = 0

    harness.work()

    assert told.events == ["task_error"]
    assert told.of("task_error")["task_func"] is None


@in_memory
def test_nobody_listens_unless_somebody_registered(harness: Harness) -> None:
    assert not harness.app.plugins
    assert not harness.app._registry.table.worker_outcome

    @harness.app.events.on.starting
    def handler() -> None: ...

    assert list(harness.app.plugins) == ["qtasks.events"]
    assert harness.app._registry.table.worker_start
    assert not harness.app._registry.table.worker_outcome
    assert not harness.app._registry.table.worker_execute_before

    for event in EVENTS:
        harness.app.events.add(event, handler)
        harness.app.events.add(event, handler)
    assert len(harness.app._registry.table.worker_outcome) == 1
    assert len(harness.app._registry._registrations) <= len(EVENTS)


@in_memory
def test_a_handler_can_be_removed(harness: Harness) -> None:
    calls: list[str] = []

    def handler() -> None:
        calls.append("called")

    harness.app.events.add("starting", handler)
    harness.app.events.remove("starting", handler)
    harness.app.events.remove("starting", handler)

    harness.work()

    assert calls == []


@in_memory
def test_workers_of_one_process_have_numbers(harness: Harness) -> None:
    told = Told(harness, "worker_running", "worker_stopping")

    async def two() -> None:
        async with harness.app.worker(), harness.app.worker():
            pass

    asyncio.run(two())

    assert [arguments["number"] for _, arguments in told.notes] == [0, 1, 1, 0]


@in_memory
def test_what_does_not_fit_is_refused(harness: Harness) -> None:
    events = harness.app.events

    with pytest.raises(AttributeError, match=r"'task_succes' \(did you mean 'task_success'\?"):
        events.on.task_succes  # noqa: B018 - the look-up raises
    with pytest.raises(RegistrationError, match=r"no event 'startng' \(did you mean 'starting'\?"):
        events.add("startng", print)
    with pytest.raises(RegistrationError, match="event starting: 5 is no function"):
        events.on.starting(5)
    with pytest.raises(RegistrationError, match=r"wants task_brokr \(did you mean 'task_broker'\?"):
        events.on.task_error(lambda task_brokr: None)
    with pytest.raises(RegistrationError, match="handlers get, by keyword, app, starter, worker"):
        events.on.starting(lambda task_broker: None)
    assert not harness.app.plugins


def test_the_pair_of_names_is_one_class() -> None:
    assert qtasks.events.AsyncEvents is qtasks.events.SyncEvents is qtasks.events.Events
