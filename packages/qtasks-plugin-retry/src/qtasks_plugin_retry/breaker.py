"""A circuit breaker: when it opens, how long, and what then. Nothing here waits or counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

import msgspec

from qtasks_plugin_retry.backoffs import check_number
from qtasks_plugin_retry.budget import check_flag, check_name
from qtasks_plugin_retry.chance import draw
from qtasks_plugin_retry.policy_checks import check_attempts, check_classes

__all__ = ["Breaker", "Phase", "Standing", "opened", "phase_of", "trips"]

#: What a breaker does with the next task.
Phase: TypeAlias = Literal["closed", "open", "half-open"]
#: How far the time of several breakers is spread, as a part of it.
_SPREAD: Final = 0.1
#: How many times a task asks during a cooldown whether a probe has succeeded.
_ASKS: Final = 4


class Breaker(msgspec.Struct, frozen=True):
    """Keeps tasks from starting while what they need is down.

    It opens when too many runs have failed. The tasks that have it are postponed then before
    they start, which costs no attempt. After ``cooldown`` seconds it lets ``probes`` of them
    through; it closes if they succeed, and opens again if one fails.

    Args:
        name: tasks whose breakers have one name share it.
        failure_ratio: opens when this part of the runs in a window has failed, above 0 and up to
            1; None for never.
        min_calls: the fewest runs in a window of which a part means anything.
        consecutive: opens after so many failures in a window without a success in between; None
            for never.
        window: seconds of a window.
        cooldown: seconds for which it stays open, a tenth more or less; an exception that says
            how long to wait, as of HTTP status 429 with ``Retry-After``, opens it for so long.
        probes: how many runs must succeed before it closes; so many are let through.
        failures: the exceptions that count, subclasses included. What the policy refuses to
            retry never does.
        shared: whether all workers share it, through the storage; else each process has its own.

    Raises:
        ValueError: a value is not allowed; the message says which.
        TypeError: a value is of a wrong type; likewise.
    """

    name: str
    failure_ratio: float | None = 0.5
    min_calls: int = 20
    consecutive: int | None = None
    window: float = 30.0
    cooldown: float = 30.0
    probes: int = 1
    failures: Sequence[type[BaseException]] = (Exception,)
    shared: bool = False

    def __post_init__(self) -> None:
        check_name("Breaker(", self.name)
        self._check_ratio()
        check_attempts("Breaker(min_calls=", self.min_calls)
        if self.consecutive is not None:
            check_attempts("Breaker(consecutive=", self.consecutive)
        elif self.failure_ratio is None:
            msg = (
                f"Breaker({self.name!r}, failure_ratio=None, consecutive=None): it would never"
                " open; give one of them"
            )
            raise ValueError(msg)
        for field in ("window", "cooldown"):
            check_number(f"Breaker({field}=", getattr(self, field))
            if not getattr(self, field):
                msg = f"Breaker({field}=0): use seconds above 0"
                raise ValueError(msg)
        check_attempts("Breaker(probes=", self.probes)
        classes = check_classes("Breaker(failures=", self.failures)
        msgspec.structs.force_setattr(self, "failures", classes)
        check_flag("Breaker(shared=", self.shared)

    def _check_ratio(self) -> None:
        ratio: Any = self.failure_ratio
        if ratio is None:
            return
        check_number("Breaker(failure_ratio=", ratio)
        if not 0 < ratio <= 1:
            msg = f"Breaker(failure_ratio={ratio!r}): use a number above 0 and up to 1, or None"
            raise ValueError(msg)

    @property
    def asks_again(self) -> float:
        """Seconds until a task asks again that has met a probe under way."""
        return self.cooldown / _ASKS


class Standing(msgspec.Struct, frozen=True):
    """How a breaker stands.

    Attributes:
        generation: how often it has opened or closed; what began in an earlier one is old news.
        closed: whether tasks start.
        since: when it opened or closed, seconds since the epoch.
        until: when the first probe is let through, likewise; 0 if it is closed.
        failures: failures in the window that opened it.
        why: what opened it, in words.
    """

    generation: int = 0
    closed: bool = True
    since: float = 0.0
    until: float = 0.0
    failures: int = 0
    why: str = ""


def phase_of(standing: Standing, now: float) -> Phase:
    """Returns what a breaker does with the next task.

    Args:
        standing: how it stands.
        now: seconds since the epoch.
    """
    if standing.closed:
        return "closed"
    return "open" if now < standing.until else "half-open"


def trips(breaker: Breaker, successes: int, failures: int, streak: int) -> str:
    """Says why a closed breaker opens; nothing if it does not.

    Args:
        breaker: the breaker.
        successes: runs that succeeded in the window.
        failures: those that failed.
        streak: the last failures in the window without a success in between.
    """
    if breaker.consecutive is not None and streak >= breaker.consecutive:
        return f"{streak} failures in a row"
    calls = successes + failures
    ratio = breaker.failure_ratio
    if ratio is not None and calls >= breaker.min_calls and failures >= ratio * calls:
        return f"{failures} of {calls} runs failed"
    return ""


def opened(
    breaker: Breaker,
    before: Standing,
    now: float,
    why: str,
    *,
    failures: int,
    hold: float | None = None,
) -> Standing:
    """Returns how a breaker stands that opens.

    Args:
        breaker: the breaker.
        before: how it stood.
        now: seconds since the epoch.
        why: what opens it.
        failures: failures so far.
        hold: seconds that an exception says to wait; None for the cooldown.
    """
    generation = before.generation + 1
    seconds = hold
    if seconds is None:
        # So that the breakers of many processes do not send their probes at one moment.
        chance = draw(breaker.name, f"{now!r}", generation)
        seconds = breaker.cooldown * (1 + _SPREAD * (2 * chance - 1))
    return Standing(generation, False, now, now + seconds, failures, why)  # noqa: FBT003 - as declared
