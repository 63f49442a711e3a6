"""What follows a failed attempt; nothing here waits, counts or remembers."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from qtasks.exc import RetryLater, TaskCancelError, TaskControl, TaskTimeoutError
from qtasks.schemas import Verdict
from qtasks_plugin_retry.matching import class_of, match
from qtasks_plugin_retry.retry_after import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks_plugin_retry.failure import Failure
    from qtasks_plugin_retry.policy import Retry

__all__ = ["decide", "within"]


def decide(policy: Retry, failure: Failure, complain: Callable[[str], object]) -> Verdict | None:
    """Decides about a failed attempt.

    The first of these that has something to say decides whether the task runs again:
    ``no_retry_on``, ``classify``, ``retry_on_timeout``, ``retry_on_exc``. If it does, the number of
    attempts, ``max_elapsed`` and the time at which the task expires can still forbid it. A task
    that raised ``RetryLater`` has said that it runs again, and when; the limits hold for it too.

    Args:
        policy: the policy of the task.
        failure: the attempt.
        complain: is told, in a sentence, of a ``classify`` that fails.

    Returns:
        what follows; None for a ``RetryLater`` whose delay is none: the engine refuses that.

    Raises:
        TaskControl: ``classify`` raised it, which decides as well.
    """
    if isinstance(failure.error, RetryLater):
        asked = _asked(failure.error)
        return None if asked is None else within(policy, failure, asked)
    found = match(failure.error, tuple(policy.retry_on_exc), tuple(policy.no_retry_on))
    if found == "refused":
        return Verdict("fail", reason="not_retried")
    said = None if policy.classify is None else _classified(policy, failure, complain)
    if isinstance(said, Verdict):
        return within(policy, failure, said) if said.action == "retry" else said
    if said is None:
        said = _by_class(policy, failure, retried=found == "retried")
    if said is False:
        return Verdict("fail", reason="not_retried")
    if said is True:
        said = _delay(policy, failure)
    return within(policy, failure, Verdict("retry", delay=said))


def _by_class(policy: Retry, failure: Failure, *, retried: bool) -> bool:
    timeout = issubclass(class_of(failure.error), TaskTimeoutError)
    if timeout and policy.retry_on_timeout is not None:
        return policy.retry_on_timeout
    return retried


def _delay(policy: Retry, failure: Failure) -> float:
    """Returns the seconds to wait: those that the exception says, or those of the policy."""
    said = retry_after(failure.error, failure.now)
    if said is not None:
        return policy.bounded(said)
    return policy.delay(failure.task_id, failure.attempt)


def within(policy: Retry, failure: Failure, verdict: Verdict) -> Verdict:
    """Returns the verdict, or the one that a limit makes of it.

    Args:
        policy: the policy of the task.
        failure: the attempt that failed.
        verdict: another run.
    """
    due = failure.elapsed + verdict.delay
    if failure.attempt >= failure.max_attempts:
        return Verdict("fail", reason="exhausted")
    if policy.max_elapsed is not None and due > policy.max_elapsed:
        return Verdict("fail", reason="max_elapsed")
    if failure.expires is not None and due > failure.expires:
        return Verdict("fail", reason="expires")
    return verdict


def _classified(
    policy: Retry, failure: Failure, complain: Callable[[str], object]
) -> Verdict | bool | float | None:
    """Asks ``classify``; None if it has no opinion, or one that cannot be used."""
    assert policy.classify is not None  # noqa: S101 - the caller has looked
    try:
        answer: Any = policy.classify(failure)
    except RetryLater as later:
        answer = _asked(later) or later.delay
    except (TaskControl, TaskCancelError, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - of the user; the task has its own error already
        complain(f"raised {type(error).__name__}")
        return None
    usable = _usable(answer)
    if usable is None and answer is not None:
        complain(f"answered {_shown(answer)}, which is no bool, no delay and no Verdict")
    return usable


def _asked(error: RetryLater) -> Verdict | None:
    """Returns what an exception asks for; None if its delay is none."""
    delay = _usable(error.delay)
    if isinstance(delay, bool) or not isinstance(delay, float):
        return None
    return Verdict("retry", delay=delay, reason=str(error.reason))


def _usable(answer: Any) -> Verdict | bool | float | None:
    """Returns an answer of ``classify`` that means something, else None."""
    if isinstance(answer, timedelta):
        answer = answer.total_seconds()
    if isinstance(answer, bool):
        return answer
    if isinstance(answer, int | float):
        return float(answer) if 0 <= answer <= sys.float_info.max else None
    if isinstance(answer, Verdict):
        return answer if _is_sound(answer) else None
    return None


def _is_sound(verdict: Verdict) -> bool:
    delay: Any = verdict.delay
    is_number = isinstance(delay, int | float) and not isinstance(delay, bool)
    return (
        verdict.action in ("retry", "snooze", "fail", "discard")
        and is_number
        and 0 <= delay <= sys.float_info.max
        and isinstance(verdict.reason, str)
    )


def _shown(value: object) -> str:
    try:
        return repr(value)[:100]
    except Exception:  # noqa: BLE001 - of the user
        return f"a {type(value).__name__}"
