"""What it costs that many tasks are queued already: to add another, and to run the first ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.running import produce
from harness.sizes import fit

if TYPE_CHECKING:
    from harness.bench import Bench
    from harness.scale import Scale

__all__ = ["growth"]

#: Tasks that are run, the first of those that are queued, and tasks that are added to them.
RUN, ADDED = 5_000, 300


def growth(bench: Bench, scale: Scale) -> dict[str, float | None]:
    """Fills queues, and leaves out what would take too long to fill."""
    found: dict[str, float | None] = {}
    for depth in scale.depths:
        if depth / bench.pace.fill > scale.fill_seconds:
            break
        bench.fill(depth)
        more = produce(
            bench.environment, bench.place.url, "one", tasks=ADDED, first=depth, seconds=2
        )
        found[f"depth_{depth}_add_per_s"] = more["added"] / more["seconds"]
        found[f"depth_{depth}_drain_per_s"] = _first(bench, depth + more["added"], scale)
    return found


def _first(bench: Bench, queued: int, scale: Scale) -> float:
    """Returns the tasks a second that a worker runs of the first ones."""
    tasks = min(fit(bench.pace.drain, RUN, scale.body_seconds), queued)
    with bench.working(queued) as (process, log):
        bench.wait(process, log, tasks)
        times = sorted(log.once().values())[:tasks]
    # The first tenth has the warming-up in it.
    tenth = tasks // 10
    return (tasks - tenth - 1) / (times[-1] - times[tenth]) * 1e9
