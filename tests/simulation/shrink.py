"""Makes a scenario that shows a fault as small as it goes, so that people can read what happens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from simulation.world import PLAIN, Result, Variant, simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulation.scenario import Scenario

__all__ = ["shrink"]

#: The most simulations that this may take.
_MOST: Final = 400
#: Deeds whose target is no worker.
_OF_TASKS: Final = frozenset({"cancel", "requeue", "pause_queue", "outage"})


class _Search:
    """Tries smaller scenarios, and keeps the smallest that breaks the same invariant."""

    def __init__(self, found: Result, variant: Variant) -> None:
        self.best = found
        self._variant = variant
        self._left = _MOST

    def keeps(self, scenario: Scenario) -> bool:
        """Tells whether a scenario still shows it, and takes it if so."""
        if self._left <= 0:
            return False
        self._left -= 1
        result = simulate(scenario, self._variant)
        before = self.best.violation
        assert before is not None, "there is something to shrink"
        if result.violation is None or result.violation.name != before.name:
            return False
        self.best = result
        return True

    def fewer(self, items: Sequence[Any], make: Callable[[tuple[Any, ...]], Scenario]) -> None:
        """Leaves out as many of the items as it can: halves first, then one by one."""
        kept = tuple(items)
        size = max(1, len(kept) // 2)
        while kept:
            at = 0
            while at < len(kept):
                fewer = kept[:at] + kept[at + size :]
                if self.keeps(make(fewer)):
                    kept = fewer
                else:
                    at += size
            if size == 1:
                return
            size //= 2


def shrink(found: Result, variant: Variant = PLAIN) -> Result:
    """Returns the smallest scenario it finds that breaks the same invariant.

    Args:
        found: what came of the scenario, which broke one.
        variant: the system.
    """
    search = _Search(found, variant)
    exact = replace(found.scenario, only=tuple(found.world.network.happened.items()))
    if not search.keeps(exact):  # that should never be: all else is the same
        return found
    best = exact
    search.fewer(best.deeds, lambda deeds: replace(search.best.scenario, deeds=deeds))
    search.fewer(best.only or (), lambda only: replace(search.best.scenario, only=only))
    search.fewer(best.jobs, lambda jobs: replace(search.best.scenario, jobs=jobs))
    for workers in range(1, best.workers):
        # Who is gone has no deeds done to it.
        deeds = tuple(
            deed
            for deed in search.best.scenario.deeds
            if deed.kind in _OF_TASKS or deed.target < workers
        )
        if search.keeps(replace(search.best.scenario, workers=workers, deeds=deeds)):
            break
    for job in search.best.scenario.jobs:
        plain = replace(job, delay=0.0, expires=None, unique_key=None, priority=0, queue="a")
        jobs = tuple(plain if one.id == job.id else one for one in search.best.scenario.jobs)
        search.keeps(replace(search.best.scenario, jobs=jobs))
    return search.best
