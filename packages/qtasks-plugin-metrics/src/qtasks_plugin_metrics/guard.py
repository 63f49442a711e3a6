"""Keeps the number of series in bounds: what has no end never becomes a label."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks_plugin_metrics.declarations import Metric

__all__ = ["OTHER", "UNKNOWN", "Room", "Words"]

log = logging.getLogger("qtasks_plugin_metrics")

#: What stands for a task or queue that nobody has registered.
UNKNOWN: Final = "_unknown"
#: What stands for all words that come after the first ones.
OTHER: Final = "_OTHER"
#: Words of one kind: classes of exceptions, reasons, names of plugins.
_WORDS: Final = 50
#: The samples of a histogram beside its buckets: +Inf, sum, count.
_BESIDE_BUCKETS: Final = 3


class Words:
    """Lets the first words through, and then no others.

    Args:
        limit: how many.
    """

    def __init__(self, limit: int = _WORDS) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def __call__(self, word: str) -> str:
        """Returns the word, or what stands for it."""
        if word in self._known:
            return word
        if len(self._known) >= self._limit:
            return OTHER
        self._known.add(word)
        return word


class Room:
    """How many series there may be, and how many there are.

    Args:
        limit: how many there may be.
        dropped: called for each label set that finds no room.
    """

    def __init__(self, limit: int, dropped: Callable[[], object]) -> None:
        self._limit = limit
        self._dropped = dropped
        self._used = 0
        self._told = False
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """How many series there are."""
        return self._used

    def take(self, metric: Metric) -> bool:
        """Makes room for one label set of a metric; returns whether there is some."""
        wanted = len(metric.buckets) + _BESIDE_BUCKETS if metric.buckets else 1
        with self._lock:
            if self._used + wanted <= self._limit:
                self._used += wanted
                return True
            first, self._told = not self._told, True
        self._dropped()
        if first:
            log.warning(
                "There are %d series, and max_series=%d: %s and others get no new label sets;"
                " qtasks_metrics_dropped_total counts them",
                self._used,
                self._limit,
                metric.full_name,
            )
        return False
