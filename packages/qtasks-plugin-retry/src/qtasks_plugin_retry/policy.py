"""A policy: how often a task runs again, after which exceptions, and when."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from qtasks.schemas import Verdict
from qtasks_plugin_retry.backoffs import (
    Backoff,
    Constant,
    Exponential,
    Linear,
    Polynomial,
    Table,
    check_number,
    longest,
)
from qtasks_plugin_retry.breaker import Breaker
from qtasks_plugin_retry.budget import Budget
from qtasks_plugin_retry.chance import Jitter, check_jitter, spread
from qtasks_plugin_retry.failure import Failure
from qtasks_plugin_retry.policy_checks import check_attempts, check_classes

__all__ = ["Classified", "Retry", "check_policy"]

#: The most seconds of a delay that grows, unless the policy says another number.
_CAP: Final = 600.0
#: What ``classify`` may answer.
Classified = Verdict | bool | float | timedelta | None


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """A policy.

    Args:
        max_attempts: how many runs may fail, the first one included.
        backoff: how the delay grows; seconds stand for ``Constant``, a list for ``Table``.
        jitter: the part of chance: ``full`` draws between 0 and the delay, ``equal`` between half
            of it and the whole, ``decorrelated`` between the first delay and three times the one
            before, ``Proportional(0.1)`` within a tenth around it, and ``none`` does not draw.
        min_delay: the fewest seconds, jitter included.
        max_delay: the most seconds, also of what an exception says; None for 600, or as many as
            ``Constant`` or ``Table`` has if these are more.
        max_elapsed: seconds from the acceptance of the task after which none of its runs begins;
            None for no limit.
        retry_on_exc: the classes of exceptions that are retried, subclasses included.
        no_retry_on: those that are not; of the classes of an exception the most specific one
            that is listed decides, and here it wins over ``retry_on_exc``.
        retry_on_timeout: whether a run that exceeded its ``max_time`` is followed by another;
            None if the classes decide, of which it is a ``TimeoutError``.
        classify: decides about a :class:`Failure` instead: True retries, False does not, seconds
            or a timedelta retry after so long, a ``Verdict`` says all; None leaves it to the
            classes. It is not asked about what ``no_retry_on`` refuses.
        budget: how many retries may run in a period; those beyond are postponed. None for no
            limit.
        breaker: keeps the task from starting while runs fail; None for nothing of that kind.
        on_exhausted: the name of a task that is added with the id of one that failed for good.
        seed: makes delays differ from those of another policy for the same task.

    Raises:
        ValueError: a value is not allowed; the message says which.
        TypeError: a value is of a wrong type; likewise.
    """

    max_attempts: int = 6
    backoff: Backoff | float | Sequence[float] | timedelta = Exponential()
    jitter: Jitter = "full"
    min_delay: float = 0.0
    max_delay: float | None = None
    max_elapsed: float | None = None
    retry_on_exc: Sequence[type[BaseException]] = (Exception,)
    no_retry_on: Sequence[type[BaseException]] = ()
    retry_on_timeout: bool | None = None
    classify: Callable[[Failure], Classified] | None = None
    budget: Budget | None = None
    breaker: Breaker | None = None
    on_exhausted: str | None = None
    seed: str = ""

    def __post_init__(self) -> None:
        check_attempts("Retry(max_attempts=", self.max_attempts)
        self._set("backoff", _backoff(self.backoff))
        check_jitter(self.jitter)
        self._check_limits()
        for field in ("retry_on_exc", "no_retry_on"):
            self._set(field, check_classes(f"Retry({field}=", getattr(self, field)))
        if self.retry_on_timeout not in (True, False, None):
            msg = f"Retry(retry_on_timeout={self.retry_on_timeout!r}): use True, False or None"
            raise TypeError(msg)
        _check_classify(self.classify)
        _check_kind("budget", self.budget, Budget)
        _check_kind("breaker", self.breaker, Breaker)
        self._set("on_exhausted", _task_name(self.on_exhausted))
        _check_seed(self.seed)

    @property
    def cap(self) -> float:
        """The most seconds of a delay."""
        if self.max_delay is not None:
            return self.max_delay
        return max(_CAP, self.min_delay, longest(_backoff(self.backoff)))

    def delay(self, task_id: str, attempt: int) -> float:
        """Returns the seconds until the next run; the same whenever it is asked.

        Args:
            task_id: the task's id.
            attempt: failed attempts so far, from 1.
        """
        drawn = spread(
            _backoff(self.backoff),
            self.jitter,
            self.cap,
            seed=self.seed,
            task_id=task_id,
            attempt=attempt,
        )
        return self.bounded(drawn)

    def bounded(self, seconds: float) -> float:
        """Returns a delay within the limits.

        Args:
            seconds: the delay.
        """
        return min(max(seconds, self.min_delay), self.cap)

    def _set(self, field: str, value: Any) -> None:
        msgspec.structs.force_setattr(self, field, value)

    def _check_limits(self) -> None:
        for field in ("min_delay", "max_delay", "max_elapsed"):
            value = getattr(self, field)
            if isinstance(value, timedelta):
                self._set(field, value.total_seconds())
                value = value.total_seconds()
            if value is not None or field == "min_delay":
                check_number(f"Retry({field}=", value)
        if self.min_delay > self.cap:
            msg = (
                f"Retry(min_delay={self.min_delay!r}, max_delay={self.max_delay!r}): no delay is"
                " that long and that short; make min_delay the smaller one"
            )
            raise ValueError(msg)


def check_policy(what: str, value: Any) -> Retry:
    """Returns a policy.

    Args:
        what: the name of the argument.
        value: the policy.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, Retry):
        msg = f"{what}={value!r}: use Retry(...)"
        raise TypeError(msg)
    return value


def _backoff(value: Any) -> Backoff:
    if isinstance(value, Constant | Linear | Exponential | Polynomial | Table):
        return value
    if isinstance(value, timedelta):
        return Constant(value.total_seconds())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Constant(value)
    if isinstance(value, list | tuple):
        return Table([x.total_seconds() if isinstance(x, timedelta) else x for x in value])
    msg = (
        f"Retry(backoff={value!r}): use Constant, Linear, Exponential, Polynomial or Table,"
        " seconds, or a list of seconds"
    )
    raise TypeError(msg)


def _check_classify(value: Any) -> None:
    if value is None:
        return
    if not callable(value):
        msg = f"Retry(classify={value!r}): use a function that takes a Failure, or None"
        raise TypeError(msg)
    if inspect.iscoroutinefunction(value):
        msg = f"Retry(classify={value!r}): it decides at once; use def, not async def"
        raise TypeError(msg)


def _check_kind(field: str, value: Any, kind: type[Budget | Breaker]) -> None:
    if value is None or isinstance(value, kind):
        return
    name = f"{value!r}" if isinstance(value, str) else "..."
    msg = f"Retry({field}={value!r}): use {kind.__name__}({name}), or None"
    raise TypeError(msg)


def _check_seed(value: Any) -> None:
    if not isinstance(value, str):
        msg = f"Retry(seed={value!r}): use text"
        raise TypeError(msg)


def _task_name(value: Any) -> str | None:
    name = getattr(value, "task_name", value)
    if name is None or (isinstance(name, str) and name):
        return name
    msg = f"Retry(on_exhausted={value!r}): use the name of a task, or the task"
    raise TypeError(msg)
