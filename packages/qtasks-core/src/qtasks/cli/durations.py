"""Spans of time, as people write and read them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from qtasks.exc import ConfigError

__all__ = ["parse_span", "span_text"]

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


def parse_span(option: str, text: str) -> timedelta:
    """Reads ``90``, ``30s``, ``15m``, ``1h30m``, ``2d`` or ``1w``; a bare number is seconds.

    Args:
        option: what the text was given for, for the message.
        text: the text.

    Raises:
        ConfigError: it is none of these.
    """
    text = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        text += "s"
    parts = _PART.findall(text)
    if not parts or "".join(map("".join, parts)) != text:
        msg = f"{option} {text!r}: write a span of time such as 30s, 15m, 1h30m, 2d or 1w"
        raise ConfigError(msg)
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError:
        msg = f"{option} {text!r} is too long a time"
        raise ConfigError(msg) from None


def span_text(seconds: float | None) -> str:
    """Says how long something takes, in the largest unit that fits; nothing for None."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{max(0.0, seconds) * 1000:.0f}ms"
    for unit in ("w", "d", "h", "m"):
        if seconds >= 2 * _UNITS[unit]:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"  # noqa: PLR2004 - one digit more for the short ones
