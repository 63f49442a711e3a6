"""Processes that stand still longer than a lease (F7), and loops that do (F8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultplan.report import Report
from faultplan.run import Run, case
from faultplan.system import Job

if TYPE_CHECKING:
    from faultplan.crew import Crew, Worker
    from faultplan.ledger import Note


@case("F7", "a worker stands still longer than its lease", tasks=50, kills=50)
def paused_workers(run: Run) -> Report:
    """Halts a worker inside a task until another one has run it; then the first goes on."""
    report = Report()
    crew = run.crew(lease=0.6, slots=2)
    crew.start(2)
    stale = 0
    for number in range(run.kills):
        run.add([Job(number, "wait" if number % 2 else "work", (0.2,))])
        stale += pause_while_it_runs(run, crew, number)
    report.tally = tally = run.drained()
    report.must_lose_nothing()
    told = {note.token for note in crew.noted("F") + crew.noted("L")}
    report.must("every pause had the task run elsewhere", stale > 0, stale)
    report.must("every stale run is refused or told so", len(told) == stale, len(told))
    report.must("nobody is convicted", tally.dead == 0, tally.dead)
    report.figures["stale runs"] = stale
    report.figures["refused or told"] = len(told)
    return report


def pause_while_it_runs(run: Run, crew: Crew, number: int) -> int:
    """Returns 1 if the task was run by another worker meanwhile, 0 if it ended before."""

    def starts() -> list[Note]:
        return [note for note in crew.noted("S") if note.number == str(number)]

    run.until(starts, f"pause {number + 1} of {run.kills}")
    first = starts()[0]
    worker = _worker_of(crew, first.pid)
    crew.pause(worker)
    if any(note.number == str(number) for note in crew.noted("E")):
        crew.resume(worker)
        return 0
    run.until(lambda: len(starts()) > 1, f"task {number} runs elsewhere")
    newer = starts()[1]
    run.until(
        lambda: any((n.number, n.token) == (str(number), newer.token) for n in crew.noted("E")),
        f"task {number} ends elsewhere",
    )
    crew.resume(worker)
    run.until(
        lambda: any(note.token == first.token for note in crew.noted("F") + crew.noted("L")),
        f"the stale run of {number} is refused",
    )
    return 1


def _worker_of(crew: Crew, pid: int) -> Worker[bytes]:
    return next(worker for worker in crew.workers if worker.pid == pid)


@case("F8", "code blocks a worker's loop for three leases", tasks=8, kills=8)
def blocked_loops(run: Run) -> Report:
    """Leases are renewed by a thread, so nobody else gets what a blocked loop holds."""
    report, lease = Report(), 2.0
    crew = run.crew(lease=lease, slots=2)
    run.add(Job(number, "block", (3 * lease,)) for number in range(run.tasks))
    crew.start(2)
    report.tally = tally = run.drained()
    report.must_lose_nothing()
    report.must("every task runs once", tally.most_runs == 1, tally.most_runs)
    ends = run.session.ends(list(run.ledger().ids.values()))
    most = max(end.deliveries for end in ends.values())
    report.must("every task is handed out once", most == 1, most)
    return report
