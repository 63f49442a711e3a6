"""Workers that are asked to stop: in time (F16), again (F17), and while something is broken."""

from __future__ import annotations

import contextlib
import itertools
import signal
import sqlite3
import time
from typing import TYPE_CHECKING

from faultplan.cases.workers import endless_batches
from faultplan.report import Report
from faultplan.run import Run, case
from faultplan.system import Job

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds that running tasks get, and what a worker may need beyond them.
_PATIENCE, _MARGIN = 3.0, 1.0
#: Seconds that a worker may go on trying to reach a broker that is away: it has five for its
#: outcomes, and a step on a locked file that has begun waits for another five.
_AWAY = 11.0
#: Exit codes of a worker that was told to stop: gently, or before it listened.
_CODES = {0, -signal.SIGTERM, -signal.SIGINT}


@case("F16", "a worker is stopped with SIGTERM", tasks=9, kills=20)
def stopped_workers(run: Run) -> Report:
    """Runs tasks of 0.1, 5 and 60 s and stops with a deadline of 3 s."""
    report, slowest = Report(), 0.0
    crew = run.crew(lease=10.0, slots=run.tasks, patience=_PATIENCE)
    numbers = itertools.count()
    for round_ in range(run.kills):
        jobs = [Job(next(numbers), "work", ((0.1, 5, 60)[n % 3],)) for n in range(run.tasks)]
        ids = run.add(jobs)
        worker = crew.start()
        mine = {str(job.number) for job in jobs}
        run.until(
            lambda mine=mine: mine <= {note.number for note in crew.noted("S")},  # type: ignore[misc]  # bound at once
            f"stop {round_ + 1} of {run.kills}",
        )
        code, seconds = crew.end(worker)
        slowest = max(slowest, seconds)
        report.must("its exit code is 0", code == 0, code)
        stand = run.session.ends(ids)
        short = [stand[task_id].status for task_id in ids[::3]]
        long = [stand[task_id] for number, task_id in enumerate(ids) if number % 3]
        report.must("short tasks end", set(short) == {"success"}, short)
        back = {(end.status, end.attempts) for end in long}
        report.must("long ones go back and cost no attempt", back == {("waiting", 0)}, back)
        for task_id in ids:
            run.session.cancel(task_id)
    report.must_take("at most, a stop", slowest, _PATIENCE + _MARGIN)
    report.tally = run.drained()
    report.must_lose_nothing()
    report.figures["slowest stop, s"] = round(slowest, 2)
    return report


@case("F16-rolling", "four workers are restarted in turn under load", tasks=8_000, kills=8)
def rolling_restart(run: Run) -> Report:
    """Starts a worker and stops an old one, again and again; everything runs exactly once."""
    report, workers = Report(), 4
    crew = run.crew(lease=5.0, slots=4, patience=20.0)
    crew.start(workers)

    codes = []
    with run.feeding(endless_batches(run), pause=0.05):
        for stop in range(run.kills):
            old, enough = crew.workers[0], run.tasks * stop // run.kills
            run.until(
                lambda old=old, enough=enough: (  # type: ignore[misc]  # bound at once
                    len(crew.noted("E")) >= enough and crew.busy(old.pid)
                ),
                f"restart {stop + 1} of {run.kills}",
            )
            crew.start()
            codes.append(crew.end(old)[0])
    report.tally = tally = run.drained()
    report.must_lose_nothing()
    report.must("every worker exits with 0", set(codes) == {0}, codes)
    report.must("every task runs exactly once", tally.most_runs == 1, tally.most_runs)
    report.must("all succeed", tally.success == tally.acknowledged, tally.success)
    return report


@case(
    "F17",
    "a worker is stopped twice, while it starts, and while the broker is away",
    tasks=4,
    kills=12,
)
def impatient_stops(run: Run) -> Report:
    """Whatever a worker does, it ends soon, and what it had runs elsewhere."""
    report = Report()
    crew = run.crew(lease=3.0, slots=4, patience=_PATIENCE)
    again, start, away = [], [], []
    ids = run.add(Job(number, "wait", (0.1, 600)) for number in range(run.tasks))
    for number in range(run.kills):
        run.say(f"stop {number + 1} of {run.kills}")
        worker, before = crew.start(), len(crew.noted("S"))
        if number % 3 == 0:  # anywhere between the start of Python and the first tasks
            time.sleep(run.rng.uniform(0.0, 1.0))
            code, seconds = crew.end(worker)
            start.append(seconds)
        elif number % 3 == 1:
            run.until(lambda before=before: len(crew.noted("S")) > before, "it works")  # type: ignore[misc]  # bound at once
            worker.send_signal(run.rng.choice([signal.SIGTERM, signal.SIGINT]))
            time.sleep(0.2)  # two that are pending at once are one
            code, seconds = crew.end(worker)
            again.append(seconds)
        else:
            run.until(lambda before=before: len(crew.noted("S")) > before, "it works")  # type: ignore[misc]  # bound at once
            with broker_away(run):
                worker.send_signal(signal.SIGTERM)
                time.sleep(0.2)  # likewise
                code, seconds = crew.end(worker)
            away.append(seconds)
        report.must("it exits as one that was told to", code in _CODES, code)
    _must_end(report, "a second signal", again, _MARGIN)
    # If it came when tasks ran already, they have had their time.
    _must_end(report, "a signal at the start", start, _PATIENCE + _MARGIN)
    _must_end(report, "signals while the broker is away", away, _AWAY + _MARGIN)
    for task_id in ids:
        run.session.cancel(task_id)
    crew.start()
    report.tally = run.drained()
    report.must_lose_nothing()
    return report


def _must_end(report: Report, what: str, seconds: list[float], limit: float) -> None:
    slowest = max(seconds, default=0.0)
    report.must_take(f"at most, the end after {what}", slowest, limit)
    report.figures[f"end after {what}, s"] = round(slowest, 2)


@contextlib.contextmanager
def broker_away(run: Run) -> Iterator[None]:
    """Kills the server, or locks the file, for the block."""
    run.fault("server")
    if run.broker.server is not None:
        run.broker.server.kill()
        try:
            yield
        finally:
            run.broker.server.start()
        return
    assert run.broker.file is not None, f"{run.broker.kind} cannot be taken away"
    other = sqlite3.connect(run.broker.file, timeout=60, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()
