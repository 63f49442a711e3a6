"""All cells of one thread, by metric and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtasks_plugin_metrics.cells import Addition, Cell, CounterCell, HistogramCell
from qtasks_plugin_metrics.declarations import BY_NAME, Kind, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Ledger"]

#: How many label sets of one metric one ledger keeps apart; the book, which has all of them, says
#: what is too many.
_MOST: Final = 10_000


class Ledger:
    """Adds up in one thread what others take over now and then.

    Args:
        metrics: the metrics by name.
    """

    def __init__(self, metrics: Mapping[str, Metric] = BY_NAME) -> None:
        self._metrics = metrics
        self._cells: dict[tuple[str, tuple[str, ...]], Cell] = {}

    def counter(self, name: str, *labels: str) -> CounterCell:
        """Returns the cell of a counter; to be kept by who needs it often.

        Args:
            name: the metric.
            *labels: the values of its labels, in the order of its declaration.

        Raises:
            KeyError: there is no such metric.
        """
        return self._cell(name, labels)  # type: ignore[no-any-return]  # of the metric's kind

    def histogram(self, name: str, *labels: str) -> HistogramCell:
        """Returns the cell of a histogram; likewise."""
        return self._cell(name, labels)  # type: ignore[no-any-return]  # of the metric's kind

    def take(self) -> list[Addition]:
        """Returns what was added since the last time; from any one thread."""
        taken = (cell.take(*key) for key, cell in self._cells.copy().items())
        return [addition for addition in taken if addition is not None]

    def _cell(self, name: str, labels: tuple[str, ...]) -> Any:
        key = (name, labels)
        cell = self._cells.get(key)
        if cell is None:
            cell = _make(self._metrics[name])
            if len(self._cells) < _MOST:
                self._cells[key] = cell
        return cell


def _make(metric: Metric) -> Cell:
    return HistogramCell(metric.buckets) if metric.kind is Kind.HISTOGRAM else CounterCell()
