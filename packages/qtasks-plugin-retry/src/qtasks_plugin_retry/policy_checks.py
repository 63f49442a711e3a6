"""Checks of what several declarations take: numbers of runs, and classes of exceptions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["check_attempts", "check_classes"]


def check_attempts(what: str, value: Any, least: int = 1) -> None:
    """Refuses what is no whole number from ``least`` up.

    Args:
        what: how the message begins: the call, up to the value.
        value: the value.
        least: the smallest that is allowed.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is too small.
    """
    msg = f"{what}{value!r}): use a whole number from {least} up"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(msg)
    if value < least:
        raise ValueError(msg)


def check_classes(what: str, value: Any) -> tuple[type[BaseException], ...]:
    """Returns classes of exceptions as a tuple; a single one will do.

    Args:
        what: how the message begins: the call, up to the value.
        value: the class, or a list of them.

    Raises:
        TypeError: it is something else.
    """
    classes = (value,) if isinstance(value, type) else value
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        msg = f"{what}{value!r}): use a list of exception classes, such as [OSError]"
        raise TypeError(msg)
    classes = tuple(classes)
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, BaseException)):
            hint = f"; write {type(each).__name__}" if isinstance(each, BaseException) else ""
            msg = f"{what}...): {each!r} is no exception class{hint}"
            raise TypeError(msg)
    return classes
