"""Where numbers are added up in one thread, without a lock.

A cell belongs to one thread, which alone writes to it. Another one may take what was added since
it last looked: nothing is reset, so nothing can get lost in between.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from time import time
from typing import TypeAlias

import msgspec

__all__ = ["Addition", "Cell", "CounterCell", "Exemplar", "HistogramCell"]


class Exemplar(msgspec.Struct, frozen=True, array_like=True):
    """One measured value, and the trace that it is from.

    Attributes:
        trace_id: the trace.
        value: what was measured.
        at: when, seconds since the epoch.
    """

    trace_id: str
    value: float
    at: float


class Addition(msgspec.Struct, frozen=True, array_like=True):
    """What was added to one series, or to all series of one histogram.

    Attributes:
        metric: the name of the metric.
        labels: the values of its labels.
        amount: what was added, of a counter; the sum, of a histogram.
        counts: how many values fell into each bucket, of a histogram; the last is +Inf.
        exemplars: the newest exemplar of buckets, by their index.
    """

    metric: str
    labels: tuple[str, ...]
    amount: float
    counts: tuple[int, ...] = ()
    exemplars: dict[int, Exemplar] = {}


class CounterCell:
    """Counts; is shown with 0 as soon as it is there, so that its first step is seen as one.

    Attributes:
        value: what was added so far.
    """

    __slots__ = ("_taken", "exemplar", "value")

    def __init__(self) -> None:
        self.value: float = 0
        self._taken: float | None = None
        self.exemplar: Exemplar | None = None

    def inc(self, amount: float = 1) -> None:
        """Adds."""
        self.value += amount

    def take(self, metric: str, labels: tuple[str, ...]) -> Addition | None:
        """Returns what was added since the last time, or None."""
        value = self.value
        if value == self._taken:
            return None
        added = value - (self._taken or 0)
        self._taken = value
        exemplar, self.exemplar = self.exemplar, None
        return Addition(metric, labels, added, (), {} if exemplar is None else {0: exemplar})


class HistogramCell:
    """Counts values by their size.

    Args:
        bounds: upper bounds of the buckets, rising, without +Inf.
    """

    __slots__ = ("_bounds", "_exemplars", "_taken", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self._taken: tuple[tuple[int, ...], float] = (tuple(self.counts), 0.0)
        self._exemplars: dict[int, Exemplar] = {}

    def observe(self, value: float, trace_id: str | None = None) -> None:
        """Adds a value; less than nothing, as clocks that differ make it, is nothing.

        Args:
            value: the value.
            trace_id: the trace it is from.
        """
        if value > 0:
            self.total += value
        index = bisect_left(self._bounds, value)
        self.counts[index] += 1
        if trace_id is not None:
            self._exemplars[index] = Exemplar(trace_id, value, time())

    def observe_all(self, values: list[float], less: float = 0.0) -> float:
        """Adds values, for a fraction of what it costs to add each; their order may change.

        Args:
            values: the values, at least one; less than nothing counts as nothing.
            less: what is to be taken from each of them first.

        Returns:
            Their sum.
        """
        lowest = min(values) - less
        index = bisect_left(self._bounds, lowest)
        if index == bisect_left(self._bounds, max(values) - less):
            self.counts[index] += len(values)  # values of one batch are much alike
        else:
            self._spread(values, less, index)
        total = sum(values) - len(values) * less
        if lowest < 0:
            total = sum(value - less for value in values if value > less)
        self.total += total
        return total

    def _spread(self, values: list[float], less: float, index: int) -> None:
        """Counts values that fall into several buckets, from the one with this index on."""
        values.sort()
        done = 0
        for place, bound in enumerate(self._bounds[index:], index):
            below = bisect_right(values, bound + less, done)
            self.counts[place] += below - done
            done = below
        self.counts[-1] += len(values) - done

    def take(self, metric: str, labels: tuple[str, ...]) -> Addition | None:
        """Returns what was added since the last time, or None."""
        counts, total = tuple(self.counts), self.total
        counts_before, total_before = self._taken
        if counts == counts_before:
            return None
        self._taken = counts, total
        added = tuple(now - before for now, before in zip(counts, counts_before, strict=True))
        exemplars, self._exemplars = self._exemplars, {}
        return Addition(metric, labels, total - total_before, added, exemplars)


Cell: TypeAlias = CounterCell | HistogramCell
