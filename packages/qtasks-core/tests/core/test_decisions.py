"""What the end of a run means: every row of the table that is core's to decide."""

from __future__ import annotations

import pytest

from qtasks import exc
from qtasks._core.decisions import history, outcomes
from qtasks._runtime.errors import MAX_MESSAGE, MAX_TRACEBACK, describe
from qtasks.schemas import (
    Cancel,
    Delivery,
    Fail,
    HistoryEntry,
    Message,
    Outcome,
    Release,
    Retry,
    Success,
    TaskError,
    Verdict,
)

ERROR = TaskError("builtins.ValueError", "no")


def delivery(**fields: float) -> Delivery:
    return Delivery(Message("i", "name", "q", b""), token=1, **fields)  # type: ignore[arg-type]  # numbers of either kind


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (exc.RetryLater(3, "later"), (Retry, 3, True)),
        (exc.Snooze(4), (Retry, 4, False)),
        (exc.Reject("bad"), (Fail, "rejected")),
        (exc.Discard("old"), (Cancel, "old")),
        (exc.TaskCancelError("why"), (Cancel, "why")),
        (exc.TaskCancelError(), (Cancel, "cancelled by the task")),
        (exc.TaskControl("other"), (Fail, "exhausted")),
    ],
)
def test_control_exceptions(error: exc.TaskControl, expected: tuple[object, ...]) -> None:
    outcome = outcomes.after_control(error)
    found: tuple[object, ...]
    if isinstance(outcome, Retry):
        found = (Retry, outcome.delay, outcome.counted)
    else:
        assert isinstance(outcome, Fail | Cancel)
        found = (type(outcome), outcome.reason)
    assert found == expected


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (None, Fail(ERROR, "exhausted")),
        (Verdict("retry", 5, "r"), Retry(5, counted=True, error=ERROR, reason="r")),
        (Verdict("snooze", 6), Retry(6, counted=False, error=ERROR)),
        (Verdict("fail", reason="no_retry"), Fail(ERROR, "no_retry")),
        (Verdict("fail"), Fail(ERROR, "exhausted")),
        (Verdict("discard"), Cancel("discarded")),
    ],
)
def test_verdicts(verdict: Verdict | None, expected: Outcome) -> None:
    assert outcomes.after_failure(ERROR, verdict) == expected


@pytest.mark.parametrize(
    ("outcome", "attempts", "snoozes", "final"),
    [
        (Success(), 2, 1, True),
        (Retry(counted=True), 3, 1, False),
        (Retry(counted=False), 2, 2, False),
        (Fail(ERROR), 3, 1, True),
        (Fail(ERROR, "malformed"), 2, 1, True),
        (Fail(ERROR, "unknown_task"), 2, 1, True),
        (Cancel("x"), 2, 1, True),
        (Release(), 2, 1, False),
    ],
)
def test_what_counts(outcome: Outcome, attempts: int, snoozes: int, final: bool) -> None:
    before = delivery(attempts=2, snoozes=1)
    assert outcomes.attempts_after(before, outcome) == attempts
    assert outcomes.snoozes_after(before, outcome) == snoozes
    assert outcomes.is_final(outcome) is final


def test_an_unknown_task_waits_its_grace_and_then_fails() -> None:
    young = delivery(enqueued_at=100, claimed_at=102)
    assert outcomes.after_unknown(young, [], grace=600) == Retry(
        5.0, counted=False, reason="no worker knows the task 'name' yet"
    )
    soon = outcomes.after_unknown(young, [], grace=3)
    assert isinstance(soon, Retry)
    assert soon.delay == 1
    old = outcomes.after_unknown(delivery(enqueued_at=100, claimed_at=800), ["a", "b"], grace=600)
    assert isinstance(old, Fail)
    assert old.reason == "unknown_task"
    assert "this one knows a, b" in old.error.message


def entry(number: int, size: int = 0) -> HistoryEntry:
    return HistoryEntry(number, "w", 1.0, 2.0, "retry", message="x" * size)


def test_history_keeps_the_beginning_and_the_end() -> None:
    data = None
    for number in range(30):
        data = history.append(data, entry(number))
    kept = [found.delivery for found in history.read(data)]
    assert kept == [0, 1, 2, *range(20, 30)]


def test_history_is_bounded_in_bytes() -> None:
    data = None
    for number in range(13):
        data = history.append(data, entry(number, 4096))
        assert len(data) <= history.MAX_BYTES
    assert history.read(data)[-1].delivery == 12


@pytest.mark.parametrize(
    "data", [b"\xff", b"\x91\x81\xa1\xff\x01", b"\x91" * 10_000, b"\x91\x81\xa1a" + b"\x91" * 9_999]
)
def test_an_unreadable_history_counts_as_empty(data: bytes) -> None:
    assert history.read(data) == []
    assert history.read(None) == []


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_exceptions_become_bounded_data() -> None:
    described = describe(ValueError("x" * 10_000))
    assert described.type == "builtins.ValueError"
    assert len(described.message) == MAX_MESSAGE
    assert len(described.traceback) <= MAX_TRACEBACK + 4


def test_an_exception_without_text_is_described_too() -> None:
    described = describe(UnprintableError())
    assert described.message == "<str() of the UnprintableError raised RuntimeError>"
    assert "UnprintableError" in described.traceback


def test_tracebacks_keep_causes_and_groups() -> None:
    try:
        try:
            int("x")
        except ValueError as error:
            msg = "outer"
            raise ExceptionGroup(msg, [KeyError("inner")]) from error
    except ExceptionGroup as group:
        text = describe(group).traceback
    assert "invalid literal" in text
    assert "KeyError: 'inner'" in text
    assert "The above exception was the direct cause" in text
