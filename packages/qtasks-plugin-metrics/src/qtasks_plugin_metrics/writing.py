"""Writes the metrics of a book as text, faster than from families of samples.

What does not change about a line is made once: a scrape then costs little more than the numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client.exposition import choose_encoder

from qtasks_plugin_metrics.declarations import PREFIX, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Exemplar

    from qtasks_plugin_metrics.book import Book, Total
    from qtasks_plugin_metrics.declarations import Metric

__all__ = ["of_book", "of_registry"]

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})


def of_registry(registry: CollectorRegistry) -> Callable[[str], tuple[bytes, str]]:
    """Returns what writes all that is in a registry."""

    def encode(accept: str) -> tuple[bytes, str]:
        write, kind = choose_encoder(accept)
        return write(registry), kind

    return encode


def of_book(book: Book) -> Callable[[str], tuple[bytes, str]]:
    """Returns what writes a book."""

    def encode(accept: str) -> tuple[bytes, str]:
        _, kind = choose_encoder(accept)
        is_open = kind.startswith("application/openmetrics-text")
        lines = [line for row in book.rows() for line in _lines(*row, is_open=is_open)]
        if is_open:
            lines.append("# EOF\n")
        return "".join(lines).encode(), kind

    return encode


def _lines(
    metric: Metric,
    gauges: dict[tuple[str, ...], float],
    totals: dict[tuple[str, ...], Total],
    *,
    is_open: bool,
) -> Iterator[str]:
    if not (gauges or totals):
        return
    name = PREFIX + metric.name
    # In OpenMetrics a counter is called without its suffix.
    shown = name if is_open else metric.full_name
    yield f"# HELP {shown} {metric.doc}\n# TYPE {shown} {metric.kind}\n"
    for labels, value in gauges.items():
        yield f"{name}{_braces(metric, labels)} {float(value)!r}\n"
    for labels, total in totals.items():
        if metric.kind is Kind.COUNTER:
            yield _counter_line(metric, labels, total, is_open=is_open)
        else:
            yield from _histogram_lines(metric, labels, total, is_open=is_open)


def _counter_line(metric: Metric, labels: tuple[str, ...], total: Total, *, is_open: bool) -> str:
    if not total.heads:
        total.heads = (f"{metric.full_name}{_braces(metric, labels)} ",)
    exemplar = total.exemplars.get(0) if is_open else None
    return f"{total.heads[0]}{float(total.amount)!r}{_exemplar(exemplar)}\n"


def _histogram_lines(
    metric: Metric, labels: tuple[str, ...], total: Total, *, is_open: bool
) -> Iterator[str]:
    heads = total.heads or _histogram_heads(metric, labels, total)
    cumulative = 0
    for index, count in enumerate(total.counts):
        cumulative += count
        exemplar = total.exemplars.get(index) if is_open else None
        yield f"{heads[index]}{cumulative}.0{_exemplar(exemplar)}\n"
    yield f"{heads[-2]}{cumulative}.0\n{heads[-1]}{total.amount!r}\n"


def _histogram_heads(metric: Metric, labels: tuple[str, ...], total: Total) -> tuple[str, ...]:
    name = PREFIX + metric.name
    bounds = [*(repr(bound) for bound in metric.buckets), "+Inf"]
    braces = _braces(metric, labels)
    inside = f"{braces[1:-1]}," if braces else ""
    buckets = [f'{name}_bucket{{{inside}le="{bound}"}} ' for bound in bounds]
    total.heads = (*buckets, f"{name}_count{braces} ", f"{name}_sum{braces} ")
    return total.heads


def _braces(metric: Metric, labels: tuple[str, ...]) -> str:
    if not labels:
        return ""
    pairs = zip(metric.labels, labels, strict=True)
    inside = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs)
    return f"{{{inside}}}"


def _exemplar(exemplar: Exemplar | None) -> str:
    if exemplar is None:
        return ""
    inside = ",".join(f'{name}="{value}"' for name, value in exemplar.labels.items())
    return f" # {{{inside}}} {exemplar.value!r} {exemplar.timestamp!r}"
