"""What is counted of tasks: each way a run can end, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.exc import Discard, Reject, RetryLater, Snooze
from qtasks.plugins import Plugin, on
from qtasks.schemas import Verdict
from qtasks.testing import FakeClock, run_queue, run_task
from qtasks_plugin_metrics.guard import OTHER

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Measured


class Again(Plugin):
    """Has each failed task run once more, after 5 s."""

    @on("worker_task_error_retry")
    def judge(self, e: BaseException, attempt: int) -> Verdict | None:
        return Verdict("retry", delay=5) if isinstance(e, OSError) and attempt < 2 else None


def test_a_task_that_returned_is_one_attempt_and_one_finished_task(measured: Measured) -> None:
    measured.app.task(name="add")(lambda x, y: x + y)
    run_task(measured.app, "add", 1, 2)

    about = {"queue": "default", "task": "add"}
    assert measured.value("qtasks_tasks_enqueued_total", **about) == 1
    assert measured.value("qtasks_attempts_total", **about, outcome="success") == 1
    assert measured.value("qtasks_tasks_finished_total", **about, outcome="success") == 1
    count = "qtasks_task_duration_seconds_count"
    assert measured.value(count, **about, outcome="success") == 1
    for name in ("task_wait_seconds", "task_end_to_end_seconds", "enqueue_duration_seconds"):
        assert measured.value(f"qtasks_{name}_count", queue="default") == 1
    assert measured.value("qtasks_enqueue_payload_bytes_sum", queue="default") > 1  # type: ignore[operator]  # it is there
    assert measured.value("qtasks_deliveries_total", queue="default", redelivered="no") == 1


@pytest.mark.parametrize(
    ("error", "attempt", "end"),
    [
        (ValueError("no"), "fail", "fail"),
        (Reject("no"), "fail", "fail"),
        (Discard("no"), "cancel", "cancel"),
        (asyncio.CancelledError(), "fail", "fail"),
    ],
)
def test_a_task_that_ends_otherwise_is_told_by_the_words_of_its_outcome(
    measured: Measured, error: BaseException, attempt: str, end: str
) -> None:
    @measured.app.task(name="end")
    def end_it() -> None:
        raise error

    run_task(measured.app, "end")

    assert measured.by("qtasks_attempts_total", "outcome") == {attempt: 1}
    assert measured.by("qtasks_tasks_finished_total", "outcome") == {end: 1}


def test_each_run_of_a_mixed_batch_is_counted_where_it_belongs(measured: Measured) -> None:
    app = measured.app
    app.config.queues = ("one", "two")

    @app.task(name="even", queue="one", pool="loop")
    def even(number: int) -> None:
        if number % 10 == 0:
            raise ValueError(number)

    @app.task(name="odd", queue="two", pool="loop")
    def odd(number: int) -> None: ...

    calls = [(odd if number % 2 else even).build(number) for number in range(100)]
    app.add_tasks(calls)
    run_queue(app)

    assert measured.by("qtasks_tasks_enqueued_total", "task") == {"even": 50, "odd": 50}
    for task, queue, succeeded, failed in (("even", "one", 40, 10), ("odd", "two", 50, None)):
        about = {"queue": queue, "task": task}
        for name, end in (("attempts", "fail"), ("tasks_finished", "fail")):
            assert measured.value(f"qtasks_{name}_total", **about, outcome="success") == succeeded
            assert measured.value(f"qtasks_{name}_total", **about, outcome=end) == (failed or 0)
        count = "qtasks_task_duration_seconds_count"
        assert measured.value(count, **about, outcome="success") == succeeded
        assert measured.value(count, **about, outcome="error") == failed
        assert measured.value("qtasks_deliveries_total", queue=queue, redelivered="no") == 50
        for name in ("task_wait_seconds", "task_end_to_end_seconds", "enqueue_payload_bytes"):
            assert measured.value(f"qtasks_{name}_count", queue=queue) == 50


def test_a_snooze_is_an_attempt_of_its_own_kind_and_no_end(measured: Measured) -> None:
    runs: list[int] = []

    @measured.app.task(name="later")
    def later() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise Snooze(60)

    run_task(measured.app, "later")

    assert measured.by("qtasks_attempts_total", "outcome") == {"snooze": 1, "success": 1}
    assert measured.by("qtasks_tasks_finished_total", "outcome") == {"success": 1}
    assert measured.by("qtasks_retries_total", "task") == {}
    assert measured.by("qtasks_deliveries_total", "redelivered") == {"no": 1, "yes": 1}


def test_a_retry_is_told_with_its_delay_and_no_dead_letter(
    make_measured: Callable[..., Measured],
) -> None:
    measured = make_measured(Again())

    @measured.app.task(name="flaky")
    def flaky() -> None:
        raise OSError("no")  # noqa: EM101 - short

    run_task(measured.app, "flaky")

    assert measured.by("qtasks_attempts_total", "outcome") == {"retry": 1, "fail": 1}
    assert measured.by("qtasks_retries_total", "task") == {"flaky": 1}
    assert measured.value("qtasks_retry_delay_seconds_sum", queue="default") == 5
    assert measured.by("qtasks_task_errors_total", "error_type") == {"OSError": 2}
    assert measured.by("qtasks_dead_letters_total", "reason") == {"exhausted": 1}
    errors = "qtasks_task_duration_seconds_count"
    assert measured.by(errors, "outcome") == {"error": 2}


def test_a_task_asks_for_its_retry_itself(measured: Measured) -> None:
    runs: list[int] = []

    @measured.app.task(name="again")
    def again() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise RetryLater(7)

    run_task(measured.app, "again")

    assert measured.by("qtasks_retries_total", "task") == {"again": 1}
    assert measured.value("qtasks_retry_delay_seconds_sum", queue="default") == 7


def test_a_deliberate_delay_is_no_wait_but_part_of_the_whole(measured: Measured) -> None:
    measured.app.task(name="slow")(lambda: None)
    run_task(measured.app, "slow", delay=3600)

    assert measured.value("qtasks_task_wait_seconds_sum", queue="default") == pytest.approx(0)
    whole = measured.value("qtasks_task_end_to_end_seconds_sum", queue="default")
    assert whole == pytest.approx(3600)


def test_the_time_of_a_run_is_measured(measured: Measured) -> None:
    clock: Any = measured.app.clock
    assert isinstance(clock, FakeClock)

    @measured.app.task(name="work", pool="loop")
    def work() -> None:
        clock.advance(2)

    run_task(measured.app, "work")

    about = {"queue": "default", "task": "work", "outcome": "success"}
    assert measured.value("qtasks_task_duration_seconds_sum", **about) == pytest.approx(2)
    bucket = "qtasks_task_duration_seconds_bucket"
    assert measured.value(bucket, **about, le="1.0") == 0
    assert measured.value(bucket, **about, le="2.5") == 1
    assert measured.value("qtasks_worker_busy_seconds_total", pool="loop") == pytest.approx(2)


def test_a_task_that_takes_too_long_is_an_error_of_that_class(measured: Measured) -> None:
    @measured.app.task(name="long", max_time=0.01)
    async def take_long() -> None:
        await asyncio.Event().wait()

    run_task(measured.app, "long")

    (kind,) = measured.by("qtasks_task_errors_total", "error_type")
    assert kind.endswith("TaskTimeoutError")


def test_names_that_nobody_registered_share_one_label(measured: Measured) -> None:
    app = measured.app
    app.config.unknown_task_grace = 0
    app.task(name="known")(lambda: None)
    app.add_task("nobody-1")
    app.add_task("nobody-2")
    app.add_task("known", queue="of-user-17")
    run_queue(app)

    assert measured.by("qtasks_tasks_enqueued_total", "task") == {"_unknown": 2, "known": 1}
    assert measured.by("qtasks_tasks_enqueued_total", "queue") == {"default": 2, "_unknown": 1}
    assert measured.by("qtasks_attempts_total", "task") == {"_unknown": 2, "known": 1}
    assert measured.by("qtasks_dead_letters_total", "reason") == {"unknown_task": 2}


def test_classes_of_exceptions_that_are_made_at_run_time_have_an_end(measured: Measured) -> None:
    @measured.app.task(name="fail")
    def fail(number: int) -> None:
        msg = f"Error{number}"
        raise type(msg, (Exception,), {})

    @measured.app.task(name="look")
    def look() -> None:
        raise LookupError

    for number in range(60):
        measured.app.add_task("fail", number)
    measured.app.add_task("look")
    run_queue(measured.app)

    kinds = measured.by("qtasks_task_errors_total", "error_type")
    assert len(kinds) == 22
    assert kinds[OTHER] == 40
    assert kinds["LookupError"] == 1


def test_too_many_series_are_dropped_counted_and_told_once(
    make_measured: Callable[..., Measured], caplog: pytest.LogCaptureFixture
) -> None:
    measured = make_measured(max_series=200)
    for number in range(30):
        measured.app.task(name=f"t{number}")(lambda: None)
        measured.app.add_task(f"t{number}")
    run_queue(measured.app)

    assert measured.value("qtasks_metrics_dropped_total") > 0  # type: ignore[operator]  # it is there
    warnings = [text for text in caplog.messages if "max_series=200" in text]
    assert len(warnings) == 1
    series = [sample for family in measured.plugin.registry.collect() for sample in family.samples]
    counted = [one for one in series if "queue" in one.labels or "outcome" in one.labels]
    assert len(counted) <= 200


def test_a_call_that_cannot_be_published_is_an_error_of_its_queue(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured.app.task(name="add")(lambda: None)
    client = measured.app.broker.client() or measured.app.broker

    async def fail(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(type(client), "publish", fail)
    with pytest.raises(ConnectionError):
        measured.app.add_task("add")

    errors = measured.by("qtasks_enqueue_errors_total", "error_type")
    assert errors == {"ConnectionError": 1}
    assert measured.by("qtasks_tasks_enqueued_total", "task") == {}


def test_failures_of_other_plugins_are_counted(make_measured: Callable[..., Measured]) -> None:
    class Broken(Plugin):
        @on("worker_start")
        def fail(self) -> None:
            raise RuntimeError

    measured = make_measured()
    measured.app.add_plugin(Broken("broken"), on_error="log")
    measured.app._registry.policy.strict = False
    measured.app.task(name="add")(lambda: None)
    run_task(measured.app, "add")

    about = {"plugin": "broken", "hook": "worker_start"}
    assert measured.value("qtasks_plugin_hook_errors_total", **about) == 1
