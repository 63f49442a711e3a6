"""Measurements of tasks that come one after the other: how long until each runs and has its result.

They come at times that were fixed before, whatever becomes of the ones before them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peers.timetable import idle_arrivals, steady_arrivals

from harness.figures import percentiles
from harness.running import produce

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.bench import Bench
    from harness.scale import Scale

__all__ = ["latency", "wake"]

#: Tasks that the worker has run before the first that counts.
WARM_UP = 20


def latency(bench: Bench, scale: Scale) -> dict[str, float | None]:
    """Adds tasks at a steady rate."""
    starts, results = _arrive(bench, steady_arrivals(scale.arrivals, scale.rate))
    return {**percentiles("start", starts), **percentiles("result", results)}


def wake(bench: Bench, scale: Scale) -> dict[str, float | None]:
    """Adds tasks to a worker that has had nothing to do for a while."""
    starts, _ = _arrive(bench, idle_arrivals(scale.wakes, scale.pause, bench.seed))
    return {**percentiles("wake", starts)}


def _arrive(bench: Bench, times: Sequence[int]) -> tuple[list[float], list[float]]:
    """Returns how many ms each task took to its start and to its result."""
    tasks = len(times)
    bench.place.clear()
    with bench.working(tasks + WARM_UP) as (process, log):
        bench.add("one", WARM_UP, first=tasks)
        bench.wait(process, log, WARM_UP)
        found = produce(bench.environment, bench.place.url, "arrive", stdin=times)
        bench.wait(process, log, tasks + WARM_UP)
        begun = log.once(range(tasks + WARM_UP))
    due, seen = found["due"], found["seen"]
    starts = [(begun[number] - due[number]) / 1e6 for number in range(tasks)]
    results = [(seen[number] - due[number]) / 1e6 for number in range(tasks)]
    return starts, results
