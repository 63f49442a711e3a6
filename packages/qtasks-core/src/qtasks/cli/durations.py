"""Spans of time, as people write and read them."""

from __future__ import annotations

from datetime import timedelta

from qtasks._config.units import SPAN_UNITS, read_span
from qtasks.exc import ConfigError

__all__ = ["parse_span", "span_text"]


def parse_span(option: str, text: str) -> timedelta:
    """Reads ``90``, ``30s``, ``15m``, ``1h30m``, ``2d`` or ``1w``; a bare number is seconds.

    Args:
        option: what the text was given for, for the message.
        text: the text.

    Raises:
        ConfigError: it is none of these.
    """
    seconds = read_span(text)
    if seconds is None:
        msg = f"{option} {text!r}: write a span of time such as 30s, 15m, 1h30m, 2d or 1w"
        raise ConfigError(msg)
    try:
        return timedelta(seconds=seconds)
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
        if seconds >= 2 * SPAN_UNITS[unit]:
            return f"{seconds / SPAN_UNITS[unit]:.0f}{unit}"
    return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"  # noqa: PLR2004 - one digit more for the short ones
