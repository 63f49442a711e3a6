"""The statistics: percentiles, medians, extremes."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Spread", "percentile", "percentiles", "spread"]


class Spread(NamedTuple):
    """A figure of several rounds."""

    median: float
    least: float
    most: float
    rounds: int


def spread(values: Iterable[float | None]) -> Spread | None:
    """Returns the median and the extremes of what is known; None if nothing is."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(statistics.median(known), min(known), max(known), len(known))


def percentile(values: Sequence[float], percent: float) -> float:
    """Returns the smallest value that so many per cent of all do not exceed.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        msg = f"a {percent}th percentile needs values, and there are none"
        raise ValueError(msg)
    place = math.ceil(len(values) * percent / 100) - 1
    return sorted(values)[max(place, 0)]


def percentiles(name: str, values: Sequence[float]) -> dict[str, float]:
    """Returns the median and the 99th percentile of times in ms, under names that say so."""
    return {
        f"{name}_p50_ms": percentile(values, 50),
        f"{name}_p99_ms": percentile(values, 99),
    }
