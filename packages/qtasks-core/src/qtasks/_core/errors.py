"""Exceptions as data."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType
from typing import Final

from qtasks.schemas import TaskError

__all__ = ["describe"]

#: The most characters kept of an exception's text and of its traceback.
MAX_MESSAGE: Final = 4096
MAX_TRACEBACK: Final = 16384

_PACKAGE = str(Path(__file__).resolve().parent.parent)


def describe(error: BaseException) -> TaskError:
    """Turns an exception into data; nothing the exception does can make this fail."""
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
        lines = traceback.format_exception(type(error), error, _users(error.__traceback__))
    except Exception as raised:  # noqa: BLE001 - user code in __str__ or __repr__ may raise anything
        return f"<the traceback could not be formatted: {type(raised).__name__}>"
    text = "".join(lines).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= MAX_TRACEBACK else "...\n" + text[-MAX_TRACEBACK:]


def _users(trace: TracebackType | None) -> TracebackType | None:
    """Skips the engine's own frames at the start, unless there are no others."""
    first = trace
    while first is not None and first.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        first = first.tb_next
    return first or trace


def _bounded(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."
