"""Servers that die under load and come back (F3, F4)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from faultplan.cases.workers import endless_batches
from faultplan.report import Report
from faultplan.run import Run, case

if TYPE_CHECKING:
    from servers import Server

    from faultplan.crew import Crew

#: Seconds within which workers are back at work.
_BACK = 2.0
#: Seconds before a kill in which a server that syncs once a second may have synced nothing.
_UNSYNCED = 2.0
_SLOTS, _WORKERS = 4, 2


def kill_again_and_again(run: Run, report: Report) -> Crew:
    """Kills the server under producers and workers; both go on by themselves."""
    server = run.broker.server
    assert server is not None, f"{run.broker.kind} is no server that can be killed here"
    crew = run.crew(lease=5.0, slots=_SLOTS)
    workers = [crew.start() for _ in range(_WORKERS)]
    back: list[float] = []
    with run.feeding(endless_batches(run), pause=0.05):
        for kill in range(run.kills):
            enough = run.tasks * kill // run.kills
            run.until(
                lambda enough=enough: len(crew.noted("E")) > enough,  # type: ignore[misc]  # bound at once
                f"kill {kill + 1} of {run.kills}",
            )
            run.fault("server")
            server.kill()
            time.sleep(run.rng.uniform(0.0, 0.5))  # how long it is away
            back.append(restart_until_at_work(run, crew, server))
    alive = sum(worker.poll() is None for worker in workers)
    report.must("every worker outlives the server", alive == _WORKERS, alive)
    slowest = max(back, default=0.0)
    report.must_take("at most, to be back at work", slowest, _BACK)
    report.figures["back at work after at most, s"] = round(slowest, 2)
    return crew


def restart_until_at_work(run: Run, crew: Crew, server: Server) -> float:
    """Returns the seconds from when the server answers until a task starts."""
    server.start()
    began = time.monotonic()
    run.until(lambda: any(note.at > began for note in crew.noted("S")), "work goes on")
    return min(note.at for note in crew.noted("S") if note.at > began) - began


@case("F3", "the server is killed and starts again", tasks=4_000, kills=10, brokers=("redis",))
def killed_server(run: Run) -> Report:
    """Every acknowledged task survives a server that syncs every write."""
    report = Report()
    kill_again_and_again(run, report)
    report.tally = tally = run.drained()
    report.must_lose_nothing()
    bound = run.kills * _SLOTS * _WORKERS * 3
    report.must("only what was in flight is repeated", tally.duplicated <= bound, tally.duplicated)
    report.must("nobody is convicted", tally.dead == 0, tally.dead)
    return report


@case(
    "F4",
    "the server is killed and starts again",
    tasks=4_000,
    kills=10,
    brokers=("redis-everysec",),
)
def killed_server_that_syncs_once_a_second(run: Run) -> Report:
    """What is lost was acknowledged within the last two seconds before a kill."""
    report = Report()
    kill_again_and_again(run, report)
    report.tally = run.drained(patience=30)
    ledger = run.ledger()
    ends = run.session.ends(list(ledger.ids.values()))
    kills = [fault.at for fault in ledger.faults if fault.kind == "server"]
    early = 0
    for number, task_id in ledger.ids.items():
        at = ledger.acknowledged_at[number]
        if not ends[task_id].final and not any(at < kill < at + _UNSYNCED for kill in kills):
            early += 1
    report.must("nothing is lost that was two seconds old", early == 0, early)
    report.must("no result is overwritten", report.tally.overwritten == 0)
    return report
