"""The sum of everything, as ``prometheus_client`` collects it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.core import (
    CounterMetricFamily,
    Exemplar,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from qtasks_plugin_metrics.declarations import BY_NAME, PREFIX, Kind
from qtasks_plugin_metrics.guard import ErrorWords, Room, Words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from qtasks_plugin_metrics.cells import Addition
    from qtasks_plugin_metrics.declarations import Metric as Declared
    from qtasks_plugin_metrics.gauges import Reading
    from qtasks_plugin_metrics.ledger import Ledger

__all__ = ["Book", "Total", "merged"]

_Labels = tuple[str, ...]
_DROPPED: Final = "metrics_dropped"


class Total:
    """What one label set of a metric comes to.

    Attributes:
        amount: of a counter; the sum, of a histogram.
        counts: how many values fell into each bucket; empty for a counter.
        exemplars: the newest exemplar of buckets, by their index.
        heads: how its lines begin, once somebody has written them.
    """

    __slots__ = ("amount", "counts", "exemplars", "heads")

    def __init__(self, buckets: int) -> None:
        self.amount = 0.0
        self.counts = [0] * buckets
        self.exemplars: dict[int, Exemplar] = {}
        self.heads: tuple[str, ...] = ()


class Book(Collector):
    """Takes over what ledgers and other processes have added up; may be used from any thread.

    Args:
        max_series: how many series there may be.
        metrics: the metrics by name.
    """

    def __init__(self, max_series: int, metrics: Mapping[str, Declared] = BY_NAME) -> None:
        self._metrics = metrics
        self._lock = threading.RLock()
        self._ledgers: list[Ledger] = []
        self._before: list[Callable[[], object]] = []
        self._gauges: list[Callable[[], Iterable[Reading]]] = []
        self._totals: dict[str, dict[_Labels, Total]] = {name: {} for name in metrics}
        self._totals[_DROPPED][()] = Total(0)
        self._room = Room(max_series, self._drop)
        self._words: dict[str, Callable[[str], str]] = {
            "error_type": ErrorWords(),
            "reason": Words(),
        }

    def open(self, ledger: Ledger) -> None:
        """Adds a ledger, which is looked at whenever somebody wants to know."""
        with self._lock:
            self._ledgers.append(ledger)

    def close(self, ledger: Ledger) -> None:
        """Takes over what is left in a ledger, and forgets it."""
        with self._lock:
            if ledger in self._ledgers:
                self._ledgers.remove(ledger)
                self.add(ledger.take())

    def read(
        self, gauges: Callable[[], Iterable[Reading]], before: Callable[[], object] | None = None
    ) -> Callable[[], None]:
        """Has gauges read whenever somebody wants to know.

        Args:
            gauges: returns them.
            before: called before ledgers are looked at, to bring them up to date.

        Returns:
            What ends that.
        """
        with self._lock:
            self._gauges.append(gauges)
            if before is not None:
                self._before.append(before)

        def end() -> None:
            with self._lock:
                if gauges in self._gauges:
                    self._gauges.remove(gauges)
                if before in self._before:
                    self._before.remove(before)

        return end

    def add(self, additions: Iterable[Addition]) -> None:
        """Adds what somebody has added up, here or elsewhere."""
        with self._lock:
            for addition in additions:
                self._add(addition)

    def take(self) -> list[Addition]:
        """Returns what the ledgers have added up since the last time, for another process."""
        with self._lock:
            for bring_up_to_date in self._before:
                bring_up_to_date()
            return [addition for ledger in self._ledgers for addition in ledger.take()]

    def readings(self) -> list[Reading]:
        """Returns what the gauges show."""
        found: list[Reading] = []
        for gauges in self._gauges.copy():
            found.extend(gauges())
        return found

    @property
    def series(self) -> int:
        """How many series of counters and histograms there are."""
        return self._room.used

    def describe(self) -> Iterator[Metric]:
        """Names the metrics, so that a registry knows that they are taken."""
        return iter([_family(metric) for metric in self._metrics.values()])

    def collect(self) -> Iterator[Metric]:
        """Returns all metrics that have values."""
        families = [
            _gauge_family(metric, gauges)
            if metric.kind is Kind.GAUGE
            else _total_family(metric, totals)
            for metric, gauges, totals in self.rows()
        ]
        return (family for family in families if family.samples)

    def rows(self) -> Iterator[tuple[Declared, dict[_Labels, float], dict[_Labels, Total]]]:
        """Returns each metric with its values, of gauges and of others; to be read at once."""
        with self._lock:
            self.add(self.take())
            gauges = merged(self.readings())
            for metric in self._metrics.values():
                yield metric, gauges.get(metric.name, {}), self._totals[metric.name]

    def _add(self, addition: Addition) -> None:
        metric = self._metrics.get(addition.metric)
        shape = len(addition.labels), len(addition.counts)
        if metric is None or shape != (len(metric.labels), _size(metric)):
            return  # it is of a process with another version of this package
        series = self._totals[metric.name]
        labels = addition.labels
        total = series.get(labels)
        if total is None and self._words.keys() & metric.labels:
            labels = self._shown(metric, labels)
            total = series.get(labels)
        if total is None:
            if not self._room.take(metric):
                return
            total = series[labels] = Total(len(addition.counts))
        total.amount += addition.amount
        for index, count in enumerate(addition.counts):
            total.counts[index] += count
        for index, seen in addition.exemplars.items():
            total.exemplars[index] = Exemplar({"trace_id": seen.trace_id}, seen.value, seen.at)

    def _shown(self, metric: Declared, labels: _Labels) -> _Labels:
        """Returns labels as they are shown: many processes, one after the other, say many words."""
        pairs = zip(metric.labels, labels, strict=True)
        return tuple(
            self._words[name](value) if name in self._words else value for name, value in pairs
        )

    def _drop(self) -> None:
        self._totals[_DROPPED][()].amount += 1


def merged(readings: Iterable[Reading]) -> dict[str, dict[_Labels, float]]:
    """Makes one value of the gauges of several workers.

    Args:
        readings: what they read.
    """
    found: dict[str, dict[_Labels, float]] = {}
    for name, labels, value in readings:
        metric = BY_NAME.get(name)
        if metric is None or len(labels) != len(metric.labels):
            continue  # as in Book, it is of another version
        series = found.setdefault(name, {})
        if labels not in series:
            series[labels] = value
        elif metric.merge == "sum":
            series[labels] += value
        else:
            series[labels] = (min if metric.merge == "min" else max)(series[labels], value)
    return found


def _size(metric: Declared) -> int:
    return len(metric.buckets) + 1 if metric.buckets else 0


def _family(metric: Declared) -> Any:
    kinds: dict[Kind, Any] = {
        Kind.COUNTER: CounterMetricFamily,
        Kind.GAUGE: GaugeMetricFamily,
        Kind.HISTOGRAM: HistogramMetricFamily,
    }
    return kinds[metric.kind](PREFIX + metric.name, metric.doc, labels=metric.labels)


def _gauge_family(metric: Declared, series: dict[_Labels, float]) -> Any:
    family = _family(metric)
    for labels, value in series.items():
        family.add_metric(labels, value)
    return family


def _total_family(metric: Declared, series: dict[_Labels, Total]) -> Any:
    family = _family(metric)
    for labels, total in series.items():
        if metric.kind is Kind.COUNTER:
            family.add_metric(labels, total.amount, exemplar=total.exemplars.get(0))
        else:
            family.add_metric(labels, _buckets(metric, total), total.amount)
    return family


def _buckets(metric: Declared, total: Total) -> list[Any]:
    """Returns what ``add_metric`` wants: cumulative counts, with exemplars where there are some."""
    found: list[Any] = []
    cumulative = 0
    for index, bound in enumerate((*metric.buckets, float("inf"))):
        cumulative += total.counts[index]
        name = "+Inf" if bound == float("inf") else repr(bound)
        found.append((name, float(cumulative), total.exemplars.get(index)))
    return found
