"""Keeps the number of series in bounds: what has no end never becomes a label."""

from __future__ import annotations

import builtins
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks_plugin_metrics.declarations import Metric

__all__ = ["OTHER", "UNKNOWN", "ErrorWords", "Room", "Words", "is_written"]

log = logging.getLogger("qtasks_plugin_metrics")

#: What stands for a task or queue that nobody has registered.
UNKNOWN: Final = "_unknown"
#: What stands for all words that come after the first ones.
OTHER: Final = "_OTHER"
#: Words of one kind: classes of exceptions, reasons, names of plugins.
_WORDS: Final = 50
#: Of classes of exceptions that are made at run time, as botocore does.
_MADE: Final = 20
#: Bytes of a word.
_LONGEST: Final = 200
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
        if len(self._known) >= self._limit or not _is_fit(word):
            return OTHER
        self._known.add(word)
        return word


class ErrorWords:
    """Lets the names of the first classes of exceptions through, and then no others.

    Classes that code makes while it runs may have any number of names, so these have places of
    their own: they take none of those of classes that somebody has written.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._written, self._made = Words(), Words(_MADE)

    def __call__(self, word: str) -> str:
        """Returns the name, or what stands for it."""
        if word in self._known:
            return word
        shown = self._written(word) if is_written(word) else self._made(word)
        if shown is not OTHER:
            self._known.add(word)
        return shown


def is_written(name: str) -> bool:
    """Tells whether a class stands where its name says, in a module that is imported.

    Args:
        name: the name of its module, and its qualified name; without the module if it is built in.
    """
    if isinstance(getattr(builtins, name, None), type):
        return True
    module = name
    while module := module.rpartition(".")[0]:
        if module in sys.modules:
            found: Any = sys.modules[module]
            for part in name.removeprefix(f"{module}.").split("."):
                # What answers to any name, as lazy modules do, is not asked.
                found = vars(found).get(part) if hasattr(found, "__dict__") else None
            return isinstance(found, type)
    return False


def _is_fit(word: str) -> bool:
    """Tells whether a word can be sent, and is no longer than a name."""
    try:
        return len(word.encode()) <= _LONGEST
    except UnicodeEncodeError:
        return False


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
