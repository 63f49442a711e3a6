"""Tasks that fail and run again, on every kind of server and in both kinds of app."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.exc import RetryLater, TaskFailedError
from qtasks_plugin_retry import Breaker, Budget, Failure, Retry
from qtasks_plugin_retry.testing import no_retry_delay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Harness


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    with no_retry_delay():
        yield


def divide(x: int) -> float:
    """Fails with a ZeroDivisionError at 0; in a child process too."""
    return 1 / x


def test_retry_as_users_write_it(harness: Harness) -> None:
    runs = []

    @harness.app.task(retry=5, retry_on_exc=[ZeroDivisionError])
    def retryable() -> None:
        runs.append(1)
        1 / 0  # noqa: B018 - it fails

    handle = harness.run(retryable)

    assert len(runs) == 6
    assert (handle.status, handle.reason) == ("error", "exhausted")
    assert (handle.record.attempts, handle.record.deliveries) == (6, 6)
    assert handle.record.error.type == "builtins.ZeroDivisionError"
    assert "1 / 0" in handle.record.error.traceback
    with pytest.raises(TaskFailedError, match="division by zero"):
        harness.do(handle.result(5))


def test_what_is_not_listed_fails_at_once(harness: Harness) -> None:
    runs = []

    @harness.app.task(retry=5, retry_on_exc=[ZeroDivisionError])
    async def picky(error: str) -> None:
        runs.append(error)
        raise {"value": ValueError, "arithmetic": ArithmeticError}[error]

    assert harness.run(picky, "value").reason == "not_retried"
    assert harness.run(picky, "arithmetic").status == "error"
    assert runs == ["value", "arithmetic"]


def test_the_run_that_succeeds_is_the_outcome(harness: Harness) -> None:
    seen = []

    @harness.app.task(retry=5, echo=True)
    def third_time(self: Any) -> str:
        seen.append((self.ctx.attempt, self.ctx.max_attempts, self.ctx.is_last_attempt))
        if self.ctx.attempt < 3:
            raise OSError
        return "lucky"

    handle = harness.run(third_time)

    assert (handle.status, handle.returning, handle.record.attempts) == ("success", "lucky", 2)
    assert seen == [(1, 6, False), (2, 6, False), (3, 6, False)]


def test_the_last_attempt_knows_that_it_is(harness: Harness) -> None:
    seen = []

    @harness.app.task(retry=1, echo=True)
    async def look(self: Any) -> None:
        seen.append(self.ctx.is_last_attempt)
        raise OSError

    harness.run(look)

    assert seen == [False, True]


def test_a_run_that_took_too_long_may_be_followed_by_another(harness: Harness) -> None:
    runs = []
    over = threading.Event()

    @harness.app.task(max_time=0.05, retry=Retry(max_attempts=2, retry_on_exc=[KeyError]))
    def not_listed() -> None:
        runs.append("not listed")
        over.wait(60)

    @harness.app.task(
        max_time=0.05,
        retry=Retry(max_attempts=2, retry_on_exc=[KeyError], retry_on_timeout=True),
    )
    def wanted() -> None:
        runs.append("wanted")
        over.wait(60)

    try:
        assert harness.run(not_listed).reason == "not_retried"
        assert harness.run(wanted).reason == "exhausted"
    finally:
        over.set()
    assert runs == ["not listed", "wanted", "wanted"]


def test_exceptions_of_a_process_pool_are_known_by_their_names(harness: Harness) -> None:
    asked: list[Failure] = []
    policy = {"max_attempts": 2, "retry_on_exc": [ArithmeticError], "classify": asked.append}
    task = harness.app.task(pool="process", retry=Retry(**policy))(divide)

    handle = harness.run(task, 0)

    assert (handle.status, handle.reason, handle.record.attempts) == ("error", "exhausted", 2)
    assert [failure.error_type for failure in asked] == ["builtins.ZeroDivisionError"] * 2


def test_a_task_that_asks_for_another_run_itself_is_given_as_many_as_it_has(
    harness: Harness,
) -> None:
    asked = []

    @harness.app.task(retry=Retry(max_attempts=3, no_retry_on=[Exception], classify=asked.append))
    async def ask(times: int) -> None:
        if not asked and times:
            raise RetryLater(3600, "busy")

    handle = harness.run(ask, 9)

    assert (handle.status, handle.reason, handle.record.attempts) == ("error", "exhausted", 3)
    assert (handle.record.error.type, handle.record.error.message) == (
        "qtasks.exc.RetryLater",
        "busy",
    )
    assert [entry.message for entry in handle.history] == ["busy"] * 3
    assert asked == []


def test_without_a_policy_a_task_may_ask_as_often_as_it_likes(harness: Harness) -> None:
    runs = []

    @harness.app.task
    async def ask() -> int:
        runs.append(1)
        if len(runs) < 4:
            raise RetryLater(0)
        return len(runs)

    assert harness.run(ask).returning == 4


@pytest.mark.parametrize("delay", [float("nan"), "1", -1, 10**400])
def test_what_is_no_delay_is_refused_with_a_policy_too(harness: Harness, delay: Any) -> None:
    @harness.app.task(retry=3)
    def ask() -> None:
        raise RetryLater(delay)

    handle = harness.run(ask)

    assert (handle.reason, handle.record.attempts) == ("rejected", 1)
    assert "use seconds from 0 up" in handle.record.error.message


def test_a_limit_of_time_ends_it(harness: Harness) -> None:
    @harness.app.task(retry=Retry(backoff=3600, jitter="none", max_elapsed=60))
    def limited() -> None:
        raise OSError

    @harness.app.task(retry=Retry(backoff=3600, jitter="none"))
    def unlimited() -> None:
        raise OSError

    @harness.app.task(retry=Retry(max_elapsed=60))
    def asks() -> None:
        raise RetryLater(3600)

    assert harness.run(asks).reason == "max_elapsed"
    assert harness.run(limited).reason == "max_elapsed"
    assert harness.run(unlimited, expires=60).reason == "expires"


def test_a_task_follows_one_that_failed_for_good(harness: Harness) -> None:
    told = []

    @harness.app.task(echo=True)
    def bury(self: Any, uuid: str) -> None:
        record = self.ctx.get_task(uuid)
        told.append((record.task_name, record.status, record.reason))

    @harness.app.task(retry=Retry(max_attempts=2, on_exhausted="bury"))
    async def doomed() -> None:
        raise OSError

    @harness.app.task(retry=Retry(max_attempts=2, on_exhausted=bury))
    def fine() -> None: ...

    handle = harness.run(doomed)
    harness.run(fine)
    harness.app.run_forever(burst=True)

    assert handle.status == "error"
    assert told == [("doomed", "error", "exhausted")]


def test_a_broken_classify_is_counted_and_logged(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    @harness.app.task(retry=Retry(max_attempts=2, classify=lambda _: "yes"))
    def work() -> None:
        raise OSError

    assert harness.run(work).reason == "exhausted"
    assert harness.app.plugins["retry"].classify_errors == {"work": 2}
    assert "classify= of task work answered 'yes'" in caplog.text


def test_many_that_fail_at_once_are_spread(harness: Harness) -> None:
    @harness.app.task(retry=Retry(backoff=10, max_attempts=2))
    async def fail() -> None:
        raise OSError

    handles = [harness.do(fail.add_task()) for _ in range(20)]
    plugin = harness.app.plugins["retry"]

    assert len({plugin.default.delay(handle.id, 1) for handle in handles}) == 20
    harness.app.run_forever(burst=True)
    assert {harness.do(handle.refresh()).record.attempts for handle in handles} == {2}


@pytest.mark.parametrize("shared", [False, True])
def test_an_open_breaker_keeps_tasks_of_all_kinds_waiting(
    harness: Harness, *, shared: bool
) -> None:
    runs = []
    breaker = Breaker("pay", consecutive=2, cooldown=1000, shared=shared)
    policy = Retry(max_attempts=2, breaker=breaker, budget=Budget("pay", shared=shared))

    @harness.app.task(retry=policy)
    def blocking() -> None:
        runs.append("blocking")
        raise OSError

    @harness.app.task(retry=policy)
    async def awaiting() -> None:
        runs.append("awaiting")

    failed = harness.run(blocking)
    waiting = harness.run(awaiting)

    assert runs == ["blocking", "blocking"]
    assert (failed.status, failed.reason) == ("error", "exhausted")
    assert (waiting.status, waiting.record.attempts, waiting.record.snoozes) == ("new", 0, 1)
