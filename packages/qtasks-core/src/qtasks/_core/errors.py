"""Exceptions as data."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

from qtasks.exc import QTasksError
from qtasks.schemas import TaskError

__all__ = ["RemoteError", "describe", "printable"]

#: The most characters kept of an exception's text and of its traceback.
MAX_MESSAGE: Final = 4096
MAX_TRACEBACK: Final = 16384

_PACKAGE = str(Path(__file__).resolve().parent.parent)


class RemoteError(QTasksError):
    """Stands for an exception that was raised in a pool process and came back as data.

    Args:
        error: type, message and traceback of that exception.
    """

    def __init__(self, error: TaskError) -> None:
        super().__init__(error.message)
        self.error = error


def describe(error: BaseException) -> TaskError:
    """Turns an exception into data; nothing the exception does can make this fail."""
    if isinstance(error, RemoteError):
        return error.error
    kind = type(error)
    return TaskError(
        type=f"{kind.__module__}.{kind.__qualname__}",
        message=_bounded(_text(error), MAX_MESSAGE),
        traceback=_trace(error),
    )


def _text(error: BaseException) -> str:
    try:
        return str(error).encode("utf-8", "backslashreplace").decode()
    except Exception as raised:  # noqa: BLE001 - user code in __str__ may raise anything
        return f"<str() of the exception raised {type(raised).__name__}>"


def _trace(error: BaseException) -> str:
    try:
        found = traceback.TracebackException.from_exception(error)
        _drop_engine_frames(found)
        lines = list(found.format())
    except Exception as raised:  # noqa: BLE001 - user code in __str__ or __repr__ may raise anything
        return f"<the traceback could not be formatted: {type(raised).__name__}>"
    text = "".join(lines).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= MAX_TRACEBACK else "...\n" + text[-MAX_TRACEBACK:]


def _drop_engine_frames(found: traceback.TracebackException) -> None:
    """Leaves the user's frames, in the exception and in those that led to it."""
    users = [frame for frame in found.stack if not frame.filename.startswith(_PACKAGE)]
    found.stack = traceback.StackSummary.from_list(users)
    related = [found.__cause__, found.__context__, *(found.exceptions or [])]
    for other in related:
        if other is not None:
            _drop_engine_frames(other)


def _bounded(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def printable(text: str, *, lines: bool = False) -> str:
    """Escapes what would steer a terminal or forge a log line.

    Args:
        text: any text.
        lines: whether line breaks and tabs stay.
    """
    kept = "\n\t" if lines else ""
    return "".join(
        char if char.isprintable() or char in kept else ascii(char)[1:-1] for char in text
    )
