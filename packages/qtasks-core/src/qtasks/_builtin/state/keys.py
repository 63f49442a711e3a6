"""How the value of an argument becomes part of a name."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from qtasks.exc import TaskArgumentsError

__all__ = ["key_text"]

_KINDS: Final = (str, int, UUID, date)


def key_text(task: str, parameter: str, value: Any) -> str:
    """Returns the text of a value; equal texts are the same state, so 1 and "1" are.

    Args:
        task: the name of the task, for messages.
        parameter: the name of the parameter, likewise.
        value: the value.

    Raises:
        TaskArgumentsError: it is of a kind that has no text of its own.
    """
    plain = value.value if isinstance(value, Enum) else value
    if not isinstance(plain, _KINDS) or isinstance(plain, bool):
        msg = (
            f"{task}: {parameter}={value!r:.80} says which state is used, and cannot be"
            f" {type(value).__name__}: use text, a whole number, a UUID, a date or an enum"
        )
        raise TaskArgumentsError(msg)
    return quote(str(plain), safe=" @+/,;=!")
