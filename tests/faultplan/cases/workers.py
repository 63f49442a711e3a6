"""Workers that die: alone (F1), and with their whole group (F2)."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

from faultplan.crew import children_of, until
from faultplan.report import Report
from faultplan.run import Run, case
from faultplan.system import Job

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds within which an orphan must be gone.
_ORPHAN = 2.0


def endless_batches(run: Run) -> Iterator[list[Job]]:
    """Makes tasks of 1 to 20 ms, twenty at a time, for as long as somebody takes them."""
    numbers = itertools.count()
    while True:
        yield [Job(next(numbers), "work", (run.rng.randint(1, 20) / 1000,)) for _ in range(20)]


@case("F1", "a worker is killed inside a task, and replaced", tasks=10_000, kills=30)
def killed_workers(run: Run) -> Report:
    """Kills one of four workers again and again, while it is inside a task, under steady load."""
    lease, slots, workers = 2.0, 10, 4
    report = Report()
    crew = run.crew(lease=lease, slots=slots)
    crew.start(workers)
    with run.feeding(endless_batches(run), pause=0.05):
        for kill in range(run.kills):
            victim, enough = run.rng.choice(crew.workers), run.tasks * kill // run.kills
            run.until(
                lambda victim=victim, enough=enough: (  # type: ignore[misc]  # bound at once
                    len(crew.noted("E")) >= enough and crew.busy(victim.pid)
                ),
                f"kill {kill + 1} of {run.kills}",
            )
            crew.kill(victim)
            crew.start()
    report.tally = tally = run.drained()
    report.must_lose_nothing()
    repeated, most = tally.duplicated, tally.most_runs
    report.must("only what was in flight is repeated", repeated <= run.kills * slots, repeated)
    report.must("no task runs more often than workers die", most <= 1 + run.kills, most)
    report.must("nobody is convicted", tally.dead == 0, tally.dead)
    report.must("kills hit running tasks", tally.interrupted > 0, tally.interrupted)
    report.figures["lease, s"] = lease
    report.figures["slowest, s"] = tally.recovery_max
    return report


@case("F2", "a supervisor dies, alone or with its children", tasks=2_000, kills=10)
def killed_groups(run: Run) -> Report:
    """Kills a supervisor with its children, as a machine does that loses power, or it alone."""
    lease, slots, children = 2.0, 5, 2
    report, slowest = Report(), 0.0
    crew = run.crew(lease=lease, slots=slots, processes=children)
    with run.feeding(endless_batches(run), pause=0.1):
        for kill in range(run.kills):
            group, enough = crew.start(), run.tasks * kill // run.kills
            run.until(
                lambda group=group, enough=enough: (  # type: ignore[misc]  # bound at once
                    len(crew.noted("E")) >= enough and any(map(crew.busy, children_of(group.pid)))
                ),
                f"kill {kill + 1} of {run.kills}",
            )
            if kill % 2:
                orphans = children_of(group.pid)
                crew.kill(group)
                gone = lambda orphans=orphans: not any(map(lives, orphans))  # noqa: E731 - used once
                slowest = max(slowest, until(gone, "orphans end"))
            else:
                crew.kill_all_of(group)
    crew.start()
    report.tally = tally = run.drained()
    report.must_lose_nothing()
    report.must_take("at most, the end of an orphan", slowest, _ORPHAN)
    bound = run.kills * slots * children
    report.must("only what was in flight is repeated", tally.duplicated <= bound, tally.duplicated)
    report.must("nobody is convicted", tally.dead == 0, tally.dead)
    report.figures["lease, s"] = lease
    report.figures["slowest orphan, s"] = round(slowest, 2)
    return report


def lives(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - a line of the kernel
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
