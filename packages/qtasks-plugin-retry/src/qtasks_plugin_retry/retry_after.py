"""How long an exception says to wait: its ``retry_after``, or the header of an HTTP answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

__all__ = ["retry_after"]

#: How far the causes of an exception are followed.
_DEPTH: Final = 10
#: Seconds from which on a number is taken for none.
_FOREVER: Final = 1e15


def retry_after(error: BaseException, now: float) -> float | None:
    """Returns the seconds that an exception, or one of its causes, says to wait.

    Args:
        error: the exception.
        now: seconds since the epoch, from which dates are counted.

    Returns:
        Seconds from 0 up, or None if it says nothing that can be used.
    """
    current: BaseException | None = error
    for _ in range(_DEPTH):
        if current is None:
            return None
        for value in _said(current):
            seconds = _seconds(value, now)
            if seconds is not None:
                return seconds
        current = current.__cause__
    return None


def _said(error: BaseException) -> list[Any]:
    response = _attribute(error, "response")
    headers = (_attribute(error, "headers"), _attribute(response, "headers"))
    return [_attribute(error, "retry_after"), *map(_header, headers)]


def _attribute(thing: object, name: str) -> Any:
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001 - properties of other people's classes may raise anything
        return None


def _header(headers: Any) -> Any:
    """Returns the header; most HTTP clients have mappings that do not mind case, but not all."""
    if not isinstance(headers, Mapping) and not hasattr(headers, "get"):
        return None
    try:
        found = headers.get("Retry-After")
        return headers.get("retry-after") if found is None else found
    except Exception:  # noqa: BLE001 - as above
        return None


def _seconds(value: Any, now: float) -> float | None:
    seconds: float
    match value:
        case timedelta():
            seconds = value.total_seconds()
        case datetime():
            seconds = value.timestamp() - now
        case bool():
            return None
        case int() | float():
            seconds = value
        case str() | bytes():
            seconds = _parsed(value, now)
        case _:
            return None
    return max(float(seconds), 0.0) if abs(seconds) < _FOREVER else None


def _parsed(value: str | bytes, now: float) -> float:
    """Reads the two forms of the header, seconds or a date; infinite if it is neither."""
    text = (value.decode("latin-1") if isinstance(value, bytes) else value).strip()
    if text.isascii() and text.replace(".", "", 1).isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return math.inf
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return date.timestamp() - now
