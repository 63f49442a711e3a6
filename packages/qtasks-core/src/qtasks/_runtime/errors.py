"""Exceptions as data."""

from __future__ import annotations

import importlib
import runpy
import traceback
from pathlib import Path
from typing import Final

from qtasks.exc import QTasksError
from qtasks.schemas import Delivery, TaskError

__all__ = ["RemoteError", "describe", "printable", "safe_text", "task_text", "trace_of_import"]

#: The most characters kept of an exception's text and of its traceback.
MAX_MESSAGE: Final = 4096
MAX_TRACEBACK: Final = 16384

_PACKAGE = str(Path(__file__).resolve().parent.parent)
#: Where the frames between an import and the imported code come from.
_IMPORTING = ("<frozen importlib", "<frozen runpy", importlib.__file__, runpy.__file__)


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
        type=safe_text(f"{kind.__module__}.{kind.__qualname__}"),
        message=safe_text(error),
        traceback=_trace(error),
    )


def safe_text(value: object) -> str:
    """Turns what user code gave as a text into one that can be stored: valid and bounded."""
    try:
        text = str(value).encode("utf-8", "backslashreplace").decode()
    except BaseException as raised:  # noqa: BLE001 - user code in __str__ may raise anything
        return f"<str() of the {type(value).__name__} raised {type(raised).__name__}>"
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 3] + "..."


def _trace(error: BaseException) -> str:
    try:
        found = traceback.TracebackException.from_exception(error)
        _drop_engine_frames(found)
        lines = list(found.format())
    except BaseException as raised:  # noqa: BLE001 - user code in __str__ may raise anything
        return f"<the traceback could not be formatted: {type(raised).__name__}>"
    text = "".join(lines).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= MAX_TRACEBACK else "...\n" + text[-MAX_TRACEBACK:]


def _drop_engine_frames(
    found: traceback.TracebackException, engine: tuple[str, ...] = (_PACKAGE,)
) -> None:
    """Leaves the user's frames, in the exception and in those that led to it."""
    users = [frame for frame in found.stack if not frame.filename.startswith(engine)]
    found.stack = traceback.StackSummary.from_list(users)
    related = [found.__cause__, found.__context__, *(found.exceptions or [])]
    for other in related:
        if other is not None:
            _drop_engine_frames(other, engine)


def trace_of_import(error: BaseException) -> str:
    """Returns the traceback of an import that failed, as far as it is about the user's code."""
    found = traceback.TracebackException.from_exception(error)
    _drop_engine_frames(found, (_PACKAGE, *_IMPORTING))
    return printable("".join(found.format()).rstrip(), lines=True)


def printable(text: str, *, lines: bool = False) -> str:
    """Escapes what would steer a terminal or forge a log line.

    Args:
        text: any text.
        lines: whether line breaks and tabs stay.
    """
    if text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(
        char if char.isprintable() or char in kept else ascii(char)[1:-1] for char in text
    )


def task_text(delivery: Delivery) -> str:
    """Returns name and id of a task as they may stand in a line of the log."""
    return printable(f"{delivery.message.task} {delivery.id}")
