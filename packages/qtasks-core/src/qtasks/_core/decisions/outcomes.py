"""What the end of a run means."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

from qtasks._runtime.errors import describe, safe_text
from qtasks.exc import Discard, Reject, RetryLater, Snooze, TaskCancelError
from qtasks.schemas import (
    Cancel,
    Delivery,
    Fail,
    Outcome,
    Release,
    Retry,
    Settlement,
    Success,
    TaskError,
    Verdict,
)

__all__ = [
    "after_control",
    "after_failure",
    "after_malformed",
    "after_unknown",
    "attempts_after",
    "snoozes_after",
]

#: Seconds between two looks for a task that this worker does not know.
UNKNOWN_TASK_DELAY = 5.0


def after_control(error: BaseException) -> Outcome:
    """Decides about an exception by which a task or plugin steers its run.

    What the exception carries comes from user code, so delays and reasons are made safe here.
    """
    match error:
        case RetryLater() | Snooze():
            counted = isinstance(error, RetryLater)
            described = describe(error) if counted else None
            return _again(error.delay, error.reason, described, counted=counted)
        case Reject():
            return Fail(describe(error), reason="rejected")
        case Discard():
            return Cancel(safe_text(error.reason))
        case TaskCancelError():
            reason = safe_text(error.args[0]) if error.args else ""
            return Cancel(reason or "cancelled by the task")
        case _:
            return Fail(describe(error), reason="exhausted")


def after_failure(error: TaskError, verdict: Verdict | None) -> Outcome:
    """Decides about a failed attempt, given what a retry policy said; None means "final"."""
    if verdict is None:
        return Fail(error, reason="exhausted")
    reason = safe_text(verdict.reason)
    match verdict.action:
        case "retry" | "snooze":
            counted = verdict.action == "retry"
            return _again(verdict.delay, reason, error, counted=counted)
        case "discard":
            return Cancel(reason or "discarded")
        case _:
            return Fail(error, reason=reason or "exhausted")


def _again(delay: Any, reason: Any, error: TaskError | None, *, counted: bool) -> Outcome:
    """Makes a retry of what user code asked for; a delay that is none fails the task."""
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    if isinstance(seconds, int | float) and 0 <= seconds <= sys.float_info.max:
        return Retry(float(seconds), counted=counted, error=error, reason=safe_text(reason))
    shown = safe_text(repr(delay))
    message = f"a delay of {shown} is none: use seconds from 0 up, or a timedelta"
    return Fail(TaskError("qtasks.exc.TaskControl", message), reason="rejected")


def after_malformed(why: str) -> Fail:
    """Decides about a message that cannot be read."""
    error = TaskError("qtasks.exc.DecodeError", f"the message cannot be read: {why}")
    return Fail(error, reason="malformed")


def after_unknown(delivery: Delivery, known: list[str], grace: float) -> Outcome:
    """Decides about a task that this worker has no function for.

    Another worker may know it (a rolling deployment), so it waits; after ``grace`` seconds from
    the time it was due it is set aside.
    """
    name = delivery.message.task
    age = delivery.claimed_at - delivery.enqueued_at
    if age < grace:
        delay = min(UNKNOWN_TASK_DELAY, max(grace - age, 0.0))
        return Retry(delay, counted=False, reason=f"no worker knows the task {name!r} yet")
    message = (
        f"no worker has known the task {name!r} for {age:.0f} s; this one knows"
        f" {', '.join(known) or 'no tasks'}: deploy the task's code, then requeue"
    )
    return Fail(TaskError("qtasks.exc.UnknownTaskError", message), reason="unknown_task")


def attempts_after(delivery: Delivery, outcome: Outcome) -> int:
    """Counts attempts: settled failures, whether or not another run follows."""
    counts = isinstance(outcome, Retry) and outcome.counted
    counts = counts or (isinstance(outcome, Fail) and outcome.reason not in _UNCOUNTED)
    return delivery.attempts + counts


def snoozes_after(delivery: Delivery, outcome: Outcome) -> int:
    """Counts postponements that used no attempt."""
    return delivery.snoozes + (isinstance(outcome, Retry) and not outcome.counted)


def is_final(outcome: Outcome) -> bool:
    """Tells whether the task is over."""
    return isinstance(outcome, Success | Fail | Cancel)


def releases(delivery: Delivery) -> Settlement:
    """Makes the settlement that gives a delivery back unrun."""
    return Settlement(
        delivery.id,
        delivery.token,
        Release(),
        attempts=delivery.attempts,
        snoozes=delivery.snoozes,
        receipt=delivery.receipt,
    )


_UNCOUNTED = frozenset({"malformed", "unknown_task", "worker_lost"})
