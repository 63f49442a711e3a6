"""Values of options: numbers, words, names of queues; each error names option and value."""

from __future__ import annotations

import difflib
import json
import math
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from qtasks.contracts.names import check_name
from qtasks.exc import ConfigError, RegistrationError, TaskArgumentsError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["choices", "parse_choice", "parse_json", "parse_seconds", "parse_whole", "queue_names"]

E = TypeVar("E", bound=StrEnum)


def parse_whole(option: str, text: str, least: int, most: int | None = None) -> int:
    """Reads a whole number.

    Args:
        option: what the text was given for, for the message.
        text: the text.
        least: the smallest number that is allowed.
        most: the largest one; None for no limit.

    Raises:
        ConfigError: it is none, or too small or too large.
    """
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or value < least or (most is not None and value > most):
        allowed = f"of {least} or more" if most is None else f"from {least} to {most}"
        msg = f"{option} {text!r}: write a whole number {allowed}"
        raise ConfigError(msg)
    return value


def parse_seconds(option: str, text: str) -> float:
    """Reads a number of seconds, 0 or more.

    Raises:
        ConfigError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        msg = f"{option} {text!r}: write a number of seconds, 0 or more, such as 10 or 0.5"
        raise ConfigError(msg)
    return value


def parse_choice(option: str, text: str, kind: type[E]) -> E:
    """Reads one of several words, in any case.

    Raises:
        ConfigError: it is none of them.
    """
    words = [member.value for member in kind]
    try:
        return kind(text.lower())
    except ValueError:
        close = difflib.get_close_matches(text.lower(), words, n=1)
        guess = f". Did you mean {close[0]!r}?" if close else ""
        msg = f"{option} {text!r}: write one of {', '.join(words)}{guess}"
        raise ConfigError(msg) from None


def choices(kind: type[StrEnum]) -> str:
    """Returns the words of an option as its help shows them."""
    return "|".join(member.value for member in kind)


def queue_names(what: str, names: Iterable[str]) -> tuple[str, ...]:
    """Checks names of queues and returns them.

    Args:
        what: where they were given, for the message.
        names: the names.

    Raises:
        ConfigError: one of them cannot be the name of a queue.
    """
    try:
        return tuple(check_name("queue", name) for name in names)
    except RegistrationError as error:
        msg = f"{what}: {error}"
        raise ConfigError(msg) from None


def parse_json(option: str, text: str, kind: type[Any]) -> Any:
    """Reads a value that is written as JSON.

    Args:
        option: the option it belongs to.
        text: what was given.
        kind: list or dict.

    Raises:
        TaskArgumentsError: it is not such a value.
    """
    shape = (
        "array, for example '[1, \"two\"]'" if kind is list else "object, for example '{\"x\": 1}'"
    )
    try:
        value = json.loads(text)
    except ValueError as error:
        msg = f"{option} {text!r} is not JSON ({error}): write an {shape}"
        raise TaskArgumentsError(msg) from None
    if not isinstance(value, kind):
        msg = f"{option} {text!r} is no JSON {shape}"
        raise TaskArgumentsError(msg)
    return value
