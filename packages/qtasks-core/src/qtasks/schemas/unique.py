"""How the calls of a task are told apart, and what happens to a second one of the same kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Literal, TypeAlias

import msgspec

__all__ = ["OnConflict", "Unique", "Uniqueness"]

#: What happens to a call whose unique key is held: it returns the handle of the task that holds
#: the key, nothing, takes the place of that task if it waits, or raises ``UniqueConflictError``.
OnConflict: TypeAlias = Literal["existing", "skip", "replace", "raise"]


class Unique(msgspec.Struct, frozen=True):
    """Which calls of a task are the same, and for how long there is only one of them.

    Attributes:
        by: True for all arguments, defaults included; the names of those that count; or a function
            that takes the arguments of a call and returns its key as text, or None for a call that
            is not unique. The name of the task is a part of every key.
        until: when the next may be added: ``finished``, once the task has ended, its retries
            included; ``started``, once a worker has taken it; ``added``, when ``window`` is over.
        window: seconds, or a timedelta, for which the next has to wait after that moment.
        on_conflict: what happens to the next before that: ``existing`` returns the handle of the
            first; ``replace`` cancels the first if it waits, and else returns its handle;
            ``raise`` raises ``UniqueConflictError``.
    """

    by: bool | str | tuple[str, ...] | Callable[..., str | None] = True
    until: Literal["added", "started", "finished"] = "finished"
    window: float | timedelta = 0.0
    on_conflict: Literal["existing", "replace", "raise"] = "existing"


#: What ``unique=`` takes: a :class:`Unique`, what its ``by`` takes, or None and False for nothing.
Uniqueness: TypeAlias = (
    Unique | bool | str | tuple[str, ...] | list[str] | Callable[..., str | None] | None
)
