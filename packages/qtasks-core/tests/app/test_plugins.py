"""Plugins, end to end: the users' example, answers, order and failures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.contracts.triggers import CATALOGUE
from qtasks.exc import RegistrationError, Reject, RetryLater, Snooze, TaskPluginTriggerError
from qtasks.plugins import BasePlugin, Plugin, on
from qtasks.plugins.base import BasePlugin as SameBasePlugin
from qtasks.schemas import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Harness


class Example(BasePlugin):
    """The plugin of the users' document, with an answer to choose."""

    def __init__(self, name: str | None = None, answer: Any = None) -> None:
        super().__init__(name)
        self.answer = answer
        self.seen: list[dict[str, Any]] = []
        self.handlers = {"task_executor_run_task_trigger_error": self.task_trigger_error}

    async def start(self, *args: Any, **kwargs: Any) -> Any:
        return super().start(*args, **kwargs)

    async def stop(self, *args: Any, **kwargs: Any) -> Any:
        return super().stop(*args, **kwargs)

    async def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        handler = self.handlers.get(name)
        if handler:
            return handler(**kwargs)
        return None

    def task_trigger_error(self, **kwargs: Any) -> Any:
        self.seen.append(kwargs)
        return self.answer


class Answering(BasePlugin):
    """Answers triggers from a dictionary of values or functions."""

    def __init__(self, name: str | None = None, **answers: Any) -> None:
        super().__init__(name)
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.life: list[str] = []

    def start(self, *args: Any, **kwargs: Any) -> None:
        self.life.append("start")
        if "start" in self.answers:
            raise self.answers["start"]

    def stop(self, *args: Any, **kwargs: Any) -> None:
        self.life.append("stop")

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        self.calls.append((name, kwargs))
        answer = self.answers.get(name)
        return answer(**kwargs) if callable(answer) else answer

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


def test_both_paths_lead_to_the_same_class() -> None:
    assert BasePlugin is SameBasePlugin


@pytest.mark.parametrize("answer", [123, 0, False, "", [], {}, {"other": 1}])
def test_a_plugins_answer_becomes_the_result(harness: Harness, answer: Any) -> None:
    plugin = Example(answer=answer)
    harness.app.add_plugin(plugin)

    @harness.app.task
    def ask() -> None:
        msg = "a reason"
        raise TaskPluginTriggerError(msg)

    handle = harness.do(ask.add_task())
    harness.work()
    assert harness.do(handle.result(5)) == answer
    [seen] = plugin.seen
    assert set(seen) == {"task_executor", "task_func", "task_broker", "e"}
    assert str(seen["e"]) == "a reason"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_without_an_answer_the_exception_goes_on(harness: Harness, asynchronous: bool) -> None:
    harness.app.add_plugin(Example())

    def plain() -> None:
        raise TaskPluginTriggerError(message="the message")

    async def coroutine() -> None:
        raise TaskPluginTriggerError(message="the message")

    task = harness.app.task(coroutine if asynchronous else plain)
    handle = harness.do(task.add_task())
    harness.work()
    assert harness.do(handle.wait(5)).status == "error"
    assert handle.error.message == "the message"


def test_a_plugin_lives_as_long_as_somebody_needs_it(harness: Harness) -> None:
    plugin = Answering()
    harness.app.add_plugin(plugin)

    harness.do(harness.app.add_task("x"))
    harness.work()
    harness.do(harness.app.close())

    assert plugin.life == ["start", "stop"]


def test_a_call_can_be_changed_before_it_is_queued(harness: Harness) -> None:
    def double(args: tuple[int, ...], **_: Any) -> dict[str, Any]:
        return {"args": (args[0] * 2,), "priority": 9, "headers": {"by": "plugin"}}

    harness.app.add_plugin(Answering(qtasks_add_task_before_broker=double))

    @harness.app.task
    def echo(x: int) -> int:
        return x

    handle = harness.do(echo.add_task(21))
    harness.work()
    assert harness.do(handle.result(5)) == 42
    assert (handle.priority, handle.headers) == (9, {"by": "plugin"})


def test_arguments_and_results_can_be_replaced(harness: Harness) -> None:
    harness.app.add_plugin(
        Answering(
            task_executor_args_replace=lambda kw, **_: {"kw": {**kw, "y": 10}},
            task_executor_run_task=lambda result, **_: result + 0.5,
        )
    )

    @harness.app.task
    async def add(x: int, y: int) -> int:
        return x + y

    handle = harness.do(add.add_task(1, y=2))
    harness.work()
    assert harness.do(handle.result(5)) == 11.5


def test_a_result_that_cannot_be_stored_is_the_failure_of_the_plugin_that_gave_it(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    class Spoiler(Plugin):
        @on("task_executor_run_task")
        @on("task_executor_run_task_gen")
        def give(self) -> object:
            return object()

    harness.app.add_plugin(Spoiler("spoiler"))

    @harness.app.task
    def add() -> int:
        return 3

    @harness.app.task
    def count() -> Iterator[int]:
        yield 3

    @harness.app.task(decode=lambda result: type(result).__name__)
    def show() -> int:
        return 3

    handles = [harness.do(task.add_task()) for task in (add, count, show)]
    harness.work()
    assert [harness.do(handle.result(5)) for handle in handles] == [3, [3], "object"]
    assert caplog.text.count("Plugin spoiler") == 2
    assert "cannot be encoded" in caplog.text


def test_a_handle_can_be_replaced(harness: Harness) -> None:
    harness.app.add_plugin(Answering(qtasks_get={"task": "another"}))
    handle = harness.do(harness.app.add_task("x"))
    assert harness.do(harness.app.get(handle.id)) == "another"


def test_a_start_can_be_vetoed(harness: Harness) -> None:
    def veto(task_func: Any, **_: Any) -> None:
        raise Reject("not today") if task_func.name == "no" else Snooze(60)

    harness.app.add_plugin(Answering(worker_execute_before=veto))
    ran: list[int] = []
    harness.app.task(name="no")(lambda: ran.append(1))
    harness.app.task(name="later")(lambda: ran.append(2))
    rejected, snoozed = (harness.do(harness.app.add_task(name)) for name in ("no", "later"))
    harness.work()
    assert harness.do(rejected.wait(5)).reason == "rejected"
    harness.do(snoozed.refresh())
    assert (snoozed.status, snoozed.attempts, snoozed.record.snoozes) == ("new", 0, 1)
    assert ran == []


def test_a_verdict_decides_about_a_failed_attempt(harness: Harness) -> None:
    def retry(attempt: int, **_: Any) -> Verdict | None:
        return Verdict("retry", delay=0) if attempt < 3 else None

    plugin = Answering(worker_task_error_retry=retry)
    harness.app.add_plugin(plugin)
    runs: list[int] = []

    @harness.app.task
    def flaky() -> str:
        runs.append(1)
        if len(runs) < 3:
            raise OSError
        return "done"

    handle = harness.do(flaky.add_task())
    harness.work()
    assert harness.do(handle.result(5)) == "done"
    assert (len(runs), handle.attempts) == (3, 2)
    assert [entry.outcome for entry in handle.history] == ["retry", "retry", "success"]


def test_a_verdict_may_limit_how_often_a_task_asks_for_another_run(harness: Harness) -> None:
    seen: list[tuple[BaseException, int]] = []

    def limit(e: BaseException, attempt: int, **_: Any) -> Verdict | None:
        seen.append((e, attempt))
        return Verdict("fail", reason="enough") if attempt == 3 else None

    harness.app.add_plugin(Answering(worker_task_error_retry=limit))
    later = RetryLater(0, "busy")

    @harness.app.task
    def ask() -> None:
        raise later

    handle = harness.do(ask.add_task())
    harness.work()
    assert harness.do(handle.wait(5)).reason == "enough"
    assert [entry.message for entry in handle.history] == ["busy"] * 3
    assert seen == [(later, 1), (later, 2), (later, 3)]


def test_a_retried_task_waits_with_status_retry_and_keeps_its_id(harness: Harness) -> None:
    harness.app.add_plugin(Answering(worker_task_error_retry=Verdict("retry", delay=60)))

    @harness.app.task
    def fail() -> None:
        msg = "once"
        raise OSError(msg)

    handle = harness.do(fail.add_task())
    harness.work()
    harness.do(handle.refresh())
    assert (handle.status, handle.attempts, handle.error.message) == ("retry", 1, "once")


def test_a_plugin_that_answers_nonsense_or_fails_changes_nothing(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: Any) -> None:
        msg = "broken plugin"
        raise RuntimeError(msg)

    harness.app.add_plugin(Answering("nonsense", worker_task_error_retry="retry please"))
    harness.app.add_plugin(Answering("broken", **dict.fromkeys(CATALOGUE, broken)))
    good = Answering("good")
    harness.app.add_plugin(good)

    @harness.app.task
    def fine() -> int:
        return 5

    @harness.app.task
    def fail() -> None:
        raise ValueError

    one, two = harness.do(fine.add_task()), harness.do(fail.add_task())
    harness.work()
    assert harness.do(one.result(5)) == 5
    assert harness.do(two.wait(5)).reason == "exhausted"
    assert "worker_start" in good.names()
    assert ") failed in worker_start" in caplog.text
    assert "verdict is a Verdict, not 'retry please'" in caplog.text


def test_a_slow_async_plugin_is_awaited_on_the_client_too(harness: Harness) -> None:
    class Slow(Answering):
        async def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            return super().trigger(name, *args, **kwargs)

    plugin = Slow(qtasks_add_task_before_broker={"priority": 4})
    harness.app.add_plugin(plugin)
    handle = harness.do(harness.app.add_task("x"))
    assert handle.priority == 4
    added = [name for name in plugin.names() if name.startswith("qtasks_add")]
    assert added == ["qtasks_add_task_before_broker", "qtasks_add_task_after_broker"]


def test_a_plugin_that_does_not_start_stops_nobody(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.app.add_plugin(Answering("broken", start=OSError("no socket")))
    good = Answering("good")
    harness.app.add_plugin(good, component="worker")
    handle = harness.do(harness.app.add_task("x"))
    assert good.life == []
    harness.app.task(name="x")(lambda: 5)
    harness.work()
    assert good.life == ["start", "stop"]
    assert harness.do(handle.result(5)) == 5
    assert ") failed in start; it is used all the same" in caplog.text
    assert "no socket" in caplog.text


def test_mistakes_are_named_at_once(harness: Harness) -> None:
    with pytest.raises(RegistrationError, match="did you mean 'worker_start'"):
        harness.app.add_plugin(Example(), trigger_names=["worker_starts"])
