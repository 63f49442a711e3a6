"""How the delay grows from one failed attempt to the next, before chance takes part."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec

__all__ = [
    "Backoff",
    "Constant",
    "Exponential",
    "Linear",
    "Polynomial",
    "Table",
    "check_number",
    "longest",
]

#: From this attempt on an exponential delay does not grow any more.
_MOST_DOUBLINGS: Final = 63


class Constant(msgspec.Struct, frozen=True):
    """The same delay each time.

    Args:
        delay: seconds.

    Raises:
        ValueError: it is negative or not finite.
        TypeError: it is no number.
    """

    delay: float = 1.0

    def __post_init__(self) -> None:
        check_number("Constant(delay=", self.delay)

    def seconds(self, attempt: int) -> float:  # noqa: ARG002 - all of them have it
        """Returns the delay after a number of failed attempts."""
        return float(self.delay)


class Linear(msgspec.Struct, frozen=True):
    """Grows by the same amount: ``base``, twice ``base``, ...

    Args:
        base: seconds.

    Raises:
        ValueError: it is negative or not finite.
        TypeError: it is no number.
    """

    base: float = 1.0

    def __post_init__(self) -> None:
        check_number("Linear(base=", self.base)

    def seconds(self, attempt: int) -> float:
        """Returns the delay after a number of failed attempts."""
        return float(self.base) * attempt


class Exponential(msgspec.Struct, frozen=True):
    """Grows by a factor: ``base``, ``base * factor``, ``base * factor ** 2``, ...

    Args:
        base: seconds.
        factor: 1 or more.

    Raises:
        ValueError: one of them is too small, or not finite.
        TypeError: one of them is no number.
    """

    base: float = 0.1
    factor: float = 2.0

    def __post_init__(self) -> None:
        check_number("Exponential(base=", self.base)
        check_number("Exponential(factor=", self.factor, least=1)

    def seconds(self, attempt: int) -> float:
        """Returns the delay after a number of failed attempts; infinite if it is no float."""
        try:
            return float(self.base) * float(self.factor) ** min(attempt - 1, _MOST_DOUBLINGS)
        except OverflowError:
            return math.inf if self.base else 0.0


class Polynomial(msgspec.Struct, frozen=True):
    """Grows as a power of the attempt: ``attempt ** power + plus``.

    Args:
        power: the exponent, 0 or more.
        plus: seconds that are added.

    Raises:
        ValueError: one of them is negative or not finite.
        TypeError: one of them is no number.
    """

    power: float = 4.0
    plus: float = 0.0

    def __post_init__(self) -> None:
        check_number("Polynomial(power=", self.power)
        check_number("Polynomial(plus=", self.plus)

    def seconds(self, attempt: int) -> float:
        """Returns the delay after a number of failed attempts; infinite if it is no float."""
        try:
            return math.pow(attempt, self.power) + self.plus
        except OverflowError:
            return math.inf


class Table(msgspec.Struct, frozen=True):
    """The delays one by one; the last one holds from then on.

    Args:
        delays: seconds, at least one.

    Raises:
        ValueError: there is none, or one is negative or not finite.
        TypeError: it is no list of numbers.
    """

    delays: Sequence[float]

    def __post_init__(self) -> None:
        given: Any = self.delays
        if isinstance(given, str) or not isinstance(given, Sequence):
            msg = f"Table({given!r}): use a list of seconds, such as [60, 300, 3600]"
            raise TypeError(msg)
        if not self.delays:
            msg = "Table([]): give at least one delay, in seconds"
            raise ValueError(msg)
        for place, delay in enumerate(self.delays):
            check_number(f"Table(delays[{place}]=", delay)
        msgspec.structs.force_setattr(self, "delays", tuple(self.delays))

    def seconds(self, attempt: int) -> float:
        """Returns the delay after a number of failed attempts."""
        return float(self.delays[min(attempt, len(self.delays)) - 1])


Backoff: TypeAlias = Constant | Linear | Exponential | Polynomial | Table


def longest(backoff: Backoff) -> float:
    """Returns the longest delay that somebody has written down, in seconds; 0 if it grows."""
    match backoff:
        case Constant():
            return backoff.delay
        case Table():
            return max(backoff.delays)
        case _:
            return 0.0


def check_number(what: str, value: Any, least: float = 0) -> None:
    """Refuses what is no finite number from ``least`` up.

    Args:
        what: how the message begins: the call, up to the value.
        value: the value.
        least: the smallest that is allowed.

    Raises:
        TypeError: it is no number.
        ValueError: it is too small, or not finite.
    """
    use = f"use a number from {least:g} up"
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{what}{value!r}): {use}"
        raise TypeError(msg)
    if not least <= value <= sys.float_info.max:  # a whole number may be larger
        msg = f"{what}{value!r}): {use}"
        raise ValueError(msg)
