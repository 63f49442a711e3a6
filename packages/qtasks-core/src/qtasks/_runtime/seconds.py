"""Spans of time, as callers give them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

__all__ = ["number_of", "seconds_of"]


def seconds_of(given: Any) -> float | None:
    """Returns seconds from 0 up, given as a number or a timedelta; None if it is neither."""
    seconds = number_of(given.total_seconds() if isinstance(given, timedelta) else given)
    return None if seconds is None or seconds < 0 else seconds


def number_of(given: Any) -> float | None:
    """Returns a number as a float; None if it is no number, or none that a float can be."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    try:
        value = float(given)
    except OverflowError:
        return None
    return None if math.isnan(value) else value
