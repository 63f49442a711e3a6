"""What follows a failed attempt, row by row."""

from __future__ import annotations

import asyncio
import socket
from datetime import timedelta
from typing import Any

import pytest

from qtasks.exc import RetryLater, Snooze, TaskTimeoutError
from qtasks.schemas import TaskError, Verdict
from qtasks_plugin_retry import Failure, Retry
from qtasks_plugin_retry.decision import decide
from qtasks_plugin_retry.matching import type_name

NOT, OUT = Verdict("fail", reason="not_retried"), Verdict("fail", reason="exhausted")
LATE, PAST = Verdict("fail", reason="max_elapsed"), Verdict("fail", reason="expires")
TIMEOUT = TaskTimeoutError("exceeded its max_time")


class FromAPool(Exception):  # noqa: N818 - as core makes one of what a pool process tells
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.error = TaskError(kind, "told by another process")


class After(OSError):  # noqa: N818 - it says when
    def __init__(self, seconds: Any) -> None:
        super().__init__()
        self.retry_after = seconds


def again(delay: float) -> Verdict:
    return Verdict("retry", delay=delay)


def says(answer: Any) -> dict[str, Any]:
    return {"classify": lambda _: answer}


def group(*errors: Exception) -> ExceptionGroup[Exception]:
    return ExceptionGroup("several", errors)


def verdict(error: BaseException, policy: dict[str, Any], **failure: Any) -> Verdict | None:
    """Decides with a delay of 8 seconds and no jitter."""
    made = Retry(**{"backoff": 8, "jitter": "none", "max_attempts": 3, **policy})
    seen = {
        "error": error,
        "error_type": type_name(error),
        "task": "work",
        "task_id": "1",
        "attempt": 1,
        "max_attempts": made.max_attempts,
        "now": 1000.0,
        **failure,
    }
    return decide(made, Failure(**seen), complaints.append)


complaints: list[str] = []


@pytest.fixture(autouse=True)
def no_complaints() -> None:
    complaints.clear()


@pytest.mark.parametrize(
    ("error", "policy", "expected"),
    [
        # By default every Exception is retried.
        (ValueError(), {}, again(8)),
        (TIMEOUT, {}, again(8)),
        (SystemExit(), {}, NOT),
        (KeyboardInterrupt(), {}, NOT),
        (SystemExit(), {"retry_on_exc": [SystemExit]}, again(8)),
        # Only what is listed, with its subclasses.
        (ZeroDivisionError(), {"retry_on_exc": [ZeroDivisionError]}, again(8)),
        (ZeroDivisionError(), {"retry_on_exc": ZeroDivisionError}, again(8)),
        (ZeroDivisionError(), {"retry_on_exc": [ArithmeticError]}, again(8)),
        (ArithmeticError(), {"retry_on_exc": [ZeroDivisionError]}, NOT),
        (ValueError(), {"retry_on_exc": [OSError, KeyError]}, NOT),
        (KeyError(), {"retry_on_exc": [OSError, KeyError]}, again(8)),
        (ValueError(), {"retry_on_exc": []}, NOT),
        # The most specific class decides; one that is in both is refused.
        (ValueError(), {"no_retry_on": [ValueError]}, NOT),
        (UnicodeError(), {"no_retry_on": [ValueError]}, NOT),
        (OSError(), {"no_retry_on": [ValueError]}, again(8)),
        (KeyError(), {"retry_on_exc": [KeyError], "no_retry_on": [LookupError]}, again(8)),
        (IndexError(), {"retry_on_exc": [KeyError], "no_retry_on": [LookupError]}, NOT),
        (KeyError(), {"retry_on_exc": [LookupError], "no_retry_on": [KeyError]}, NOT),
        (KeyError(), {"retry_on_exc": [KeyError], "no_retry_on": [KeyError]}, NOT),
        (ValueError(), {"no_retry_on": [Exception]}, NOT),
        # Runs that took too long.
        (TIMEOUT, {"retry_on_exc": [OSError]}, again(8)),  # TimeoutError is one
        (TIMEOUT, {"retry_on_exc": [KeyError]}, NOT),
        (TIMEOUT, {"retry_on_exc": [KeyError], "retry_on_timeout": True}, again(8)),
        (TIMEOUT, {"retry_on_timeout": False}, NOT),
        (TIMEOUT, {"retry_on_timeout": True, "no_retry_on": [TaskTimeoutError]}, NOT),
        (TimeoutError(), {"retry_on_timeout": False}, again(8)),
        (socket.gaierror(), {"retry_on_timeout": False}, again(8)),
        # What classify says.
        (ValueError(), says(None), again(8)),
        (ValueError(), {**says(None), "retry_on_exc": [OSError]}, NOT),
        (ValueError(), {**says(True), "retry_on_exc": [OSError]}, again(8)),
        (ValueError(), says(False), NOT),
        (ValueError(), {**says(True), "no_retry_on": [ValueError]}, NOT),
        (ValueError(), says(3), again(3)),
        (ValueError(), says(0), again(0)),
        (ValueError(), says(0.5), again(0.5)),
        (ValueError(), says(timedelta(minutes=2)), again(120)),
        (ValueError(), says(Verdict("retry", delay=4, reason="why")), Verdict("retry", 4, "why")),
        (ValueError(), says(Verdict("snooze", delay=4)), Verdict("snooze", delay=4)),
        (ValueError(), says(Verdict("fail", reason="bad")), Verdict("fail", reason="bad")),
        (ValueError(), says(Verdict("discard")), Verdict("discard")),
        (TIMEOUT, {**says(True), "retry_on_timeout": False}, again(8)),
        # What the exception says of the time.
        (After(30), {}, again(30)),
        (After(0), {}, again(0)),
        (After("45"), {}, again(45)),
        (After(30), {"max_delay": 20}, again(20)),
        (After(1), {"min_delay": 5}, again(5)),
        (After(-3), {}, again(0)),
        (After("soon"), {}, again(8)),
        (After(30), {"retry_on_exc": [KeyError]}, NOT),
        (After(30), says(2), again(2)),
        (After(30), says(True), again(30)),
        # Groups: all of it must be retried.
        (group(OSError(), KeyError()), {}, again(8)),
        (group(OSError(), KeyError()), {"retry_on_exc": [OSError]}, NOT),
        (group(OSError(), KeyError()), {"retry_on_exc": [OSError, KeyError]}, again(8)),
        (group(OSError(), KeyError()), {"no_retry_on": [KeyError]}, NOT),
        (group(OSError(), group(KeyError())), {"no_retry_on": [KeyError]}, NOT),
        (group(OSError(), group(KeyError())), {"retry_on_exc": [OSError, KeyError]}, again(8)),
        (group(KeyError()), {"retry_on_exc": [ExceptionGroup]}, again(8)),
        (group(KeyError()), {"no_retry_on": [ExceptionGroup]}, NOT),
        (BaseExceptionGroup("", [KeyboardInterrupt()]), {}, NOT),
        # Exceptions of a pool process, which come as data.
        (FromAPool("builtins.KeyError"), {"retry_on_exc": [LookupError]}, again(8)),
        (FromAPool("builtins.KeyError"), {"retry_on_exc": [OSError]}, NOT),
        (FromAPool("builtins.KeyError"), {"no_retry_on": [KeyError]}, NOT),
        (FromAPool("gone.away.Error"), {}, again(8)),
        (FromAPool("gone.away.Error"), {"retry_on_exc": [OSError]}, NOT),
        (FromAPool("builtins.print"), {"retry_on_exc": [OSError]}, NOT),
    ],
)
def test_what_follows(error: BaseException, policy: dict[str, Any], expected: Verdict) -> None:
    assert verdict(error, policy) == expected
    assert complaints == []


@pytest.mark.parametrize(
    ("policy", "failure", "expected"),
    [
        ({}, {"attempt": 2}, again(8)),
        ({}, {"attempt": 3}, OUT),
        ({}, {"attempt": 4}, OUT),
        (says(5), {"attempt": 3}, OUT),
        (says(Verdict("retry")), {"attempt": 3}, OUT),
        (says(Verdict("snooze", delay=1)), {"attempt": 3}, Verdict("snooze", delay=1)),
        ({"max_attempts": 1}, {}, OUT),
        ({"max_elapsed": 100}, {"elapsed": 92.0}, again(8)),
        ({"max_elapsed": 100}, {"elapsed": 92.1}, LATE),
        ({"max_elapsed": timedelta(seconds=100)}, {"elapsed": 95.0}, LATE),
        ({"max_elapsed": 0}, {}, LATE),
        ({**says(20), "max_elapsed": 10}, {}, LATE),
        ({}, {"elapsed": 92.0, "expires": 100.0}, again(8)),
        ({}, {"elapsed": 93.0, "expires": 100.0}, PAST),
        ({"max_elapsed": 50}, {"elapsed": 93.0, "expires": 100.0, "attempt": 3}, OUT),
    ],
)
def test_what_limits_forbid(
    policy: dict[str, Any], failure: dict[str, Any], expected: Verdict
) -> None:
    assert verdict(ValueError(), policy, **failure) == expected


@pytest.mark.parametrize(
    "answer",
    [
        "yes",
        -1,
        10**400,
        float("nan"),
        float("inf"),
        [],
        Verdict("retry", delay=-1),
        Verdict("retry", delay=10**400),
        Verdict("run"),
    ],
)
def test_nonsense_of_classify_is_told_and_the_classes_decide(answer: Any) -> None:
    assert verdict(ValueError(), says(answer)) == again(8)
    assert verdict(ValueError(), {**says(answer), "retry_on_exc": [OSError]}) == NOT
    (first, _) = complaints
    assert first.startswith("answered ")


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_a_classify_that_raises_is_told_and_the_classes_decide(error: type[BaseException]) -> None:
    def classify(_: Failure) -> bool:
        raise error

    assert verdict(ValueError(), {"classify": classify}) == again(8)
    assert complaints == [f"raised {error.__name__}"]


def test_classify_may_steer_the_run_by_raising() -> None:
    def classify(_: Failure) -> bool:
        raise Snooze(30)

    with pytest.raises(Snooze):
        verdict(ValueError(), {"classify": classify})


def test_who_asks_for_another_run_has_no_more_of_them_than_others() -> None:
    def classify(_: Failure) -> bool:
        raise RetryLater(30, "busy")

    later = Verdict("retry", delay=30, reason="busy")
    assert verdict(ValueError(), {"classify": classify}) == later
    assert verdict(ValueError(), {"classify": classify}, attempt=3) == OUT
    assert verdict(RetryLater(30, "busy"), {"no_retry_on": [Exception]}) == later
    assert verdict(RetryLater(30), {}, attempt=3) == OUT
    assert verdict(RetryLater(30), {"max_elapsed": 50}, elapsed=21.0) == LATE
    assert verdict(RetryLater(float("nan")), {}) is None


def test_classify_is_told_of_the_attempt() -> None:
    seen: list[Failure] = []
    error = FromAPool("builtins.KeyError")

    verdict(error, {"classify": seen.append}, attempt=2, elapsed=7.0)

    (failure,) = seen
    assert (failure.error, failure.error_type) == (error, "builtins.KeyError")
    assert (failure.attempt, failure.max_attempts, failure.elapsed) == (2, 3, 7.0)
