"""Results as bars, in SVG: one picture for each class of queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from harness.figures import spread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.results import Results

__all__ = ["CHARTS", "Bars", "Chart", "bars", "draw"]


class Chart(NamedTuple):
    """One of the plots of a picture.

    Attributes:
        measure: where its figure comes from.
        figure: the name of that.
        title: what it shows, with the unit.
        less_is_better: whether the smallest figure is the best.
        logarithmic: whether equal distances are equal ratios.
    """

    measure: str
    figure: str
    title: str
    less_is_better: bool = False
    logarithmic: bool = False


CHARTS = (
    Chart("drain", "drain_per_s", "No-ops a second"),
    Chart("delay", "delay_2ms_per_s", "No-ops a second behind 2 ms"),
    Chart("enqueue", "enqueue_one_per_s", "Added one by one, a second"),
    Chart("enqueue", "enqueue_bulk_per_s", "Added 1,000 a call, a second"),
    Chart(
        "latency", "result_p50_ms", "To the result, p50, ms", less_is_better=True, logarithmic=True
    ),
    Chart("drain", "memory_mb", "Memory of a worker, MB", less_is_better=True),
)


class Bars(NamedTuple):
    """The bars of one plot, the best first.

    Attributes:
        names: the queues.
        medians: how long the bars are.
        errors: how far the extremes lie below and above.
    """

    names: Sequence[str]
    medians: Sequence[float]
    errors: tuple[Sequence[float], Sequence[float]]


def bars(results: Results, chart: Chart, peers: Sequence[str]) -> Bars | None:
    """Returns the bars of those queues that have the figure; None if none has."""
    found = {
        peer: spread(row.figures.get(chart.figure) for row in results.latest(peer, chart.measure))
        for peer in peers
    }
    known = [(peer, one) for peer, one in found.items() if one is not None]
    if not known:
        return None
    known.sort(key=lambda pair: pair[1].median, reverse=not chart.less_is_better)
    return Bars(
        [peer for peer, _ in known],
        [one.median for _, one in known],
        (
            [one.median - one.least for _, one in known],
            [one.most - one.median for _, one in known],
        ),
    )


def draw(results: Results, peers: Sequence[str], title: str, path: Path) -> bool:
    """Draws all plots of some queues into one file, the same for the same results.

    Returns:
        Whether there was anything to draw.
    """
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    plots = [(chart, found) for chart in CHARTS if (found := bars(results, chart, peers))]
    if not plots:
        return False
    settings: dict[Any, Any] = {"svg.hashsalt": "qtasks", "svg.fonttype": "none", "font.size": 9}
    with plt.rc_context(settings):
        rows = (len(plots) + 1) // 2
        height = 1.0 + rows * (0.7 + 0.24 * len(peers))
        figure, axes = plt.subplots(rows, 2, figsize=(9, height), squeeze=False)
        figure.suptitle(title)
        for axis in axes.flat[len(plots) :]:
            axis.set_visible(False)
        for axis, (chart, found) in zip(axes.flat, plots, strict=False):
            colours = [
                "#d95f02" if name.startswith("qtasks") else "#7570b3" for name in found.names
            ]
            axis.barh(found.names, found.medians, xerr=found.errors, color=colours, ecolor="#444")
            axis.set_title(chart.title)
            axis.invert_yaxis()
            axis.set_xscale("log" if chart.logarithmic else "linear")
            axis.spines[["top", "right"]].set_visible(False)
        figure.tight_layout()
        figure.savefig(path, format="svg", metadata={"Date": None})
        plt.close(figure)
    return True
