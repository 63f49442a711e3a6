"""What the end of a run means."""

from __future__ import annotations

from qtasks._core.errors import describe
from qtasks.exc import Discard, Reject, RetryLater, Snooze, TaskCancelError, TaskControl
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

__all__ = ["after_control", "after_failure", "after_unknown", "attempts_after", "snoozes_after"]

#: Seconds between two looks for a task that this worker does not know.
UNKNOWN_TASK_DELAY = 5.0


def after_control(error: TaskControl | TaskCancelError) -> Outcome:
    """Decides about an exception by which a task or plugin steers its run."""
    match error:
        case RetryLater():
            return Retry(error.delay, counted=True, error=describe(error), reason=error.reason)
        case Snooze():
            return Retry(error.delay, counted=False, reason=error.reason)
        case Reject():
            return Fail(describe(error), reason="rejected")
        case Discard():
            return Cancel(error.reason)
        case TaskCancelError():
            return Cancel(str(error) or "cancelled by the task")
        case _:
            return Fail(describe(error), reason="exhausted")


def after_failure(error: TaskError, verdict: Verdict | None) -> Outcome:
    """Decides about a failed attempt, given what a retry policy said; None means "final"."""
    if verdict is None:
        return Fail(error, reason="exhausted")
    match verdict.action:
        case "retry":
            return Retry(verdict.delay, counted=True, error=error, reason=verdict.reason)
        case "snooze":
            return Retry(verdict.delay, counted=False, error=error, reason=verdict.reason)
        case "discard":
            return Cancel(verdict.reason or "discarded")
        case "fail":
            return Fail(error, reason=verdict.reason or "exhausted")


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
