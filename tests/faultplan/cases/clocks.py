"""Clocks that are wrong, and jump (F9)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from faultplan.cases.commits import make_id
from faultplan.clocks import Clock
from faultplan.ledger import Acknowledged
from faultplan.ours import QTasks
from faultplan.report import Report
from faultplan.run import Run, case
from faultplan.system import Job

if TYPE_CHECKING:
    from faultplan.crew import Crew
    from faultplan.system import Place, WorkerSettings

_ADDING: Final = Path(__file__).parents[1] / "adding.py"
#: Seconds by which a clock is wrong.
WRONG: Final = 600.0
#: Seconds of a lease, of a run that outlives it, of a delay.
LEASE: Final = 3.0
LONG: Final = 4.5
DELAY: Final = 1.5
#: Seconds that two clocks of one machine may differ by themselves.
_SLACK: Final = 0.01


@case("F9", "clocks are ten minutes wrong, and jump", tasks=300, kills=6)
def wrong_clocks(run: Run) -> Report:
    """On a server every process has another wrong clock; on a file all share one, which jumps."""
    return clock_that_jumps(run) if run.broker.server is None else clocks_that_differ(run)


def clocks_that_differ(run: Run) -> Report:
    """Workers and producers are ahead or behind, and their clocks jump while tasks run."""
    report = Report()
    clocks = [Clock(run.folder / f"clock-{n}", ahead) for n, ahead in enumerate((WRONG, -WRONG))]
    for clock in clocks:
        crew_under(run, clock).start()
    late = 0
    for jump in range(run.kills):
        for clock in clocks:
            clock.set(run.rng.choice((-WRONG, 0.0, WRONG)))
        run.fault("jump")
        late = add_under(run, clocks[jump % 2], share(run, jump))
        run.until(lambda late=late: has_started(run, late), "the last delayed task has started")  # type: ignore[misc]  # bound at once
    report.tally = tally = run.drained()
    report.must_lose_nothing()
    report.must("no lease is lost", tally.most_runs == 1, tally.most_runs)
    report.must("nothing is refused", tally.refused == 0, tally.refused)
    early, latest = delays(run)
    report.must("no delayed task starts early", early == 0, early)
    report.must("none starts as late as clocks are wrong", latest < WRONG / 2, round(latest, 2))
    report.figures["slowest start beyond its delay, s"] = round(latest, 2)
    return report


def clock_that_jumps(run: Run) -> Report:
    """The one clock of a machine jumps forward, so that leases end early, and back again."""
    report = Report()
    clock = Clock(run.folder / "clock")
    crew = crew_under(run, clock)
    crew.start(2)
    for jump in range(run.kills):
        jobs = [job for job in share(run, jump) if not job.delay]
        add_under(run, clock, jobs)
        long = jobs[0].number
        run.until(lambda long=long: has_started(run, long), "the long task runs")  # type: ignore[misc]  # bound at once
        clock.set(WRONG if jump % 2 == 0 else 0.0)
        run.fault("jump")
    report.tally = tally = run.drained()
    report.must_lose_nothing()
    strange = repeated_without_jump(run)
    report.must("only what was held at a jump is repeated", not strange, strange)
    report.must("nobody is convicted", tally.dead == 0, tally.dead)
    return report


def share(run: Run, jump: int) -> list[Job]:
    """Makes the tasks of one jump: one that outlives its lease, short ones, delayed ones."""
    first, end = (run.tasks * number // run.kills for number in (jump, jump + 1))
    long = Job(first, "work", (LONG,), key=make_id(run))
    short = [
        Job(number, "work", (0.005,), delay=DELAY * (number % 2), key=make_id(run))
        for number in range(first + 1, end)
    ]
    return [long, *short]


def crew_under(run: Run, clock: Clock) -> Crew:
    """Makes a crew whose workers have a wrong clock."""
    right = run.system
    run.system = _Wearing(clock)
    try:
        return run.crew(lease=LEASE, slots=10)
    finally:
        run.system = right


def add_under(run: Run, clock: Clock, jobs: list[Job]) -> int:
    """Adds tasks in a process with a wrong clock; returns the number of the last delayed one."""
    calls = [(job.task, job.number, *job.arguments, job.delay, job.key) for job in jobs]
    command = [sys.executable, str(_ADDING), run.place.url, json.dumps(calls)]
    command, environment = clock.worn_by(command)
    before = time.monotonic()
    subprocess.run(command, env=os.environ | environment, check=True)
    ledger = Acknowledged(run.folder / "acknowledged-by-producers")
    ledger.note(jobs, [str(job.key) for job in jobs])
    ledger.close()
    with (run.folder / "delays").open("a") as file:
        file.writelines(f"{job.number} {before + job.delay}\n" for job in jobs if job.delay)
    return max((job.number for job in jobs if job.delay), default=jobs[-1].number)


def has_started(run: Run, number: int) -> bool:
    """Whether a task has run, or runs."""
    return any(note.word == "S" and note.number == str(number) for note in run.ledger().notes)


def repeated_without_jump(run: Run) -> list[str]:
    """Returns the numbers of tasks that ran again although no jump had ended their lease.

    What a worker held at a jump may start a moment later, until a renewal tells it of its loss.
    """
    jumps = [fault.at for fault in run.faults if fault.kind == "jump"]
    starts: dict[str, list[float]] = defaultdict(list)
    for note in run.ledger().notes:
        if note.word == "S":
            starts[note.number].append(note.at)
    return [
        number
        for number, times in starts.items()
        for first, again in pairwise(times)
        if not any(first - LEASE <= jump <= again for jump in jumps)
    ]


def delays(run: Run) -> tuple[int, float]:
    """Returns how many delayed tasks started early, and how late the latest was, in seconds."""
    starts = {int(note.number): note.at for note in run.ledger().notes if note.word == "S"}
    lines = [line.split() for line in (run.folder / "delays").read_text().splitlines()]
    late = [starts[int(number)] - float(due) for number, due in lines]
    return sum(seconds < -_SLACK for seconds in late), max(late)


class _Wearing(QTasks):
    """Workers with a wrong clock.

    Args:
        clock: the clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def worker(self, place: Place, settings: WorkerSettings) -> tuple[list[str], dict[str, str]]:
        """Returns the command of a worker."""
        command, environment = super().worker(place, settings)
        command, more = self._clock.worn_by(command)
        return command, environment | more
