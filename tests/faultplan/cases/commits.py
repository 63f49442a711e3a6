"""Processes that die between a commit and its answer: what F5 is to a file."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from faultplan.ours import QTasks
from faultplan.report import Report
from faultplan.system import Job

if TYPE_CHECKING:
    from faultplan.run import Run
    from faultplan.system import Place, WorkerSettings

__all__ = ["killed_after_commits", "make_id"]

_DYING: Final = Path(__file__).parents[1] / "dying.py"
#: One of so many deaths is a worker's, the others are producers'.
_WORKERS_ONE_IN: Final = 5
#: The most commits after which a worker dies: claims and outcomes alike.
_MOST_COMMITS: Final = 8


def killed_after_commits(run: Run) -> Report:
    """Kills producers and workers in the moment after a commit; producers add again."""
    report, slots = Report(), 10
    healthy = run.crew(slots=slots)
    healthy.start()
    jobs = [Job(number, "work", (0.005,), key=make_id(run)) for number in range(run.tasks)]
    committed = deaths = 0
    for number, mine in enumerate(_parts(jobs, run.kills)):
        if number % _WORKERS_ONE_IN == _WORKERS_ONE_IN - 1:
            run.add(mine)
            die_as_worker(run, slots)
            deaths += 1
        else:
            committed += die_as_producer(run, mine)
            run.add(mine)
    report.tally = tally = run.drained()
    report.must_lose_nothing()
    report.must("everything was acknowledged", tally.acknowledged == run.tasks, tally.acknowledged)
    report.must("what died was written before", committed == run.kills - deaths, committed)
    most = deaths * slots
    report.must("only what was in flight is repeated", tally.duplicated <= most, tally.duplicated)
    report.must("nobody is convicted", tally.dead == 0, tally.dead)
    report.figures["producers that died after their commit"] = committed
    report.figures["workers that died after a commit"] = deaths
    return report


def die_as_producer(run: Run, jobs: list[Job]) -> bool:
    """Adds tasks in a process that dies of it; returns whether they were written."""
    calls = json.dumps([(job.number, job.key) for job in jobs])
    command = [sys.executable, str(_DYING), "add", run.place.url, calls]
    code = subprocess.run(command, check=False).returncode
    ids = [job.key for job in jobs if job.key is not None]
    written = all(end.status != "missing" for end in run.session.ends(ids).values())
    return code < 0 and written


def die_as_worker(run: Run, slots: int) -> None:
    """Runs a worker that dies after some commits, and waits for that."""
    healthy, commits = run.system, run.rng.randint(1, _MOST_COMMITS)
    run.system = _Dying(commits)
    try:
        crew = run.crew(slots=slots)
    finally:
        run.system = healthy
    worker = crew.start()
    run.until(lambda: worker.poll() is not None, "the worker dies")
    crew.kill(worker)  # which notes that it is dead


class _Dying(QTasks):
    """Workers that die after some commits.

    Args:
        commits: after so many.
    """

    def __init__(self, commits: int) -> None:
        self._commits = commits

    def worker(self, place: Place, settings: WorkerSettings) -> tuple[list[str], dict[str, str]]:
        """Returns the command of a worker."""
        (python, *script), environment = super().worker(place, settings)
        return [python, str(_DYING), str(self._commits), *script], environment


def _parts(jobs: list[Job], count: int) -> list[list[Job]]:
    """Cuts the tasks into so many parts."""
    edges = [len(jobs) * number // count for number in range(count + 1)]
    return [jobs[start:end] for start, end in itertools.pairwise(edges)]


def make_id(run: Run) -> str:
    """Returns an id of a task that the seed decides, so that a call can be repeated."""
    return str(UUID(int=run.rng.getrandbits(128), version=4))
