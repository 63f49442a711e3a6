"""Tasks that take their process down (F10)."""

from __future__ import annotations

from faultplan.bodies import POISONS
from faultplan.report import Report
from faultplan.run import Run, case
from faultplan.system import Job

#: Losses that convict a task.
_LOSSES = 3


@case("F10", "a task takes its worker down", tasks=500, kills=len(POISONS))
def poisoned_workers(run: Run) -> Report:
    """One poison of each kind, one after another, each among so many tasks that do no harm."""
    return _poison(run, "poison", deliveries=_LOSSES)


@case("F10-pool", "the same with pool='process'", tasks=500, kills=len(POISONS))
def poisoned_pool(run: Run) -> Report:
    """The process of the pool dies or is killed; the worker is not touched."""
    return _poison(run, "isolated", deliveries=1)


def _poison(run: Run, task: str, *, deliveries: int) -> Report:
    report = Report()
    crew = run.crew(lease=2.0, slots=100, processes=2)
    supervisor = crew.start()
    kinds = list(POISONS)[: run.kills]
    for index, kind in enumerate(kinds):
        first = index * (run.tasks + 1)
        (bad,) = run.add([Job(first, task, (kind,))])
        run.add(Job(first + number, "work", (0.002,)) for number in range(1, run.tasks + 1))
        run.until(
            lambda bad=bad: run.session.ends([bad])[bad].final,  # type: ignore[misc]  # bound at once
            f"{kind} is convicted",
        )
        end = run.session.ends([bad])[bad]
        report.must(f"{kind}: it is a dead letter", end.status == "dead", end)
        report.must(f"{kind}: {deliveries} times handed out", end.deliveries == deliveries, end)
    report.tally = tally = run.drained()
    report.must_lose_nothing()
    report.must("nobody else is convicted", tally.dead == len(kinds), tally.dead)
    good = tally.acknowledged - len(kinds)
    report.must("all others succeed", tally.success == good, tally.success)
    report.must("the worker goes on", supervisor.poll() is None, supervisor.poll())
    report.figures["kinds"] = ", ".join(kinds)
    return report
