"""A budget: how many retries may run in a period. Nothing here waits, counts or remembers.

A queue can wait, so what exceeds a budget is postponed. Time is cut into periods, each of which
has room for a number of retries; a retry takes its token from the period in which it is going to
run. A saved-up bucket would have to be emptied and filled in one step to be shared; a token of a
period is one addition to a counter, which every storage does safely.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from qtasks_plugin_retry.backoffs import check_number

__all__ = ["Budget", "check_flag", "check_name"]

#: The most retries of a period; what is more is no limit, and no counter need hold it.
_MOST: Final = 1 << 53


class Budget(msgspec.Struct, frozen=True):
    """How many retries may run in each ``per`` seconds; others are postponed, not dropped.

    There may be ``min_per_second * per`` of them, and ``ratio`` for each first run that began in
    the period or in the one before.

    Args:
        name: tasks whose budgets have one name share it; None for the name of the task.
        ratio: retries for each first run, 0 or more.
        min_per_second: retries a second that are always allowed.
        per: seconds of a period.
        shared: whether all workers share it, through the storage; else each process has its own.

    Raises:
        ValueError: a value is not allowed; the message says which.
        TypeError: a value is of a wrong type; likewise.
    """

    name: str | None = None
    ratio: float = 0.2
    min_per_second: float = 10.0
    per: float = 60.0
    shared: bool = False

    def __post_init__(self) -> None:
        if self.name is not None:
            check_name("Budget(", self.name)
        check_number("Budget(ratio=", self.ratio)
        check_number("Budget(min_per_second=", self.min_per_second)
        check_number("Budget(per=", self.per)
        check_flag("Budget(shared=", self.shared)
        if self.min_per_second * self.per < 1:
            msg = (
                f"Budget(min_per_second={self.min_per_second!r}, per={self.per!r}): that is less"
                " than one retry in a period, so none might ever run; make one of them larger"
            )
            raise ValueError(msg)

    def period(self, time: float) -> int:
        """Returns the number of the period that a time is in.

        Args:
            time: seconds since the epoch.
        """
        return math.floor(time / self.per)

    def begins(self, period: int) -> float:
        """Returns when a period begins, in seconds since the epoch."""
        return period * self.per

    def room(self, first_runs: int) -> int:
        """Returns how many retries a period has room for.

        Args:
            first_runs: first runs of tasks that began in it, or in the one before if they are more.
        """
        return math.floor(min(self.min_per_second * self.per + self.ratio * first_runs, _MOST))

    def due(self, period: int, token: int, room: int) -> float:
        """Returns when a retry runs that was postponed to a period: they are spread over it.

        Args:
            period: its number.
            token: which of the period's tokens it has, from 1.
            room: how many there are.
        """
        return self.begins(period) + self.per * (token - 1) / room


def check_name(what: str, value: Any) -> None:
    """Refuses what is no name.

    Args:
        what: how the message begins: the call, up to the value.
        value: the value.

    Raises:
        TypeError: it is no text.
        ValueError: it is empty, or has characters that cannot be printed.
    """
    msg = f"{what}{value!r}): use a name, such as 'payments'"
    if not isinstance(value, str):
        raise TypeError(msg)
    if not value or not value.isprintable():
        raise ValueError(msg)


def check_flag(what: str, value: Any) -> None:
    """Refuses what is neither True nor False.

    Raises:
        TypeError: always for those.
    """
    if not isinstance(value, bool):
        msg = f"{what}{value!r}): use True or False"
        raise TypeError(msg)
