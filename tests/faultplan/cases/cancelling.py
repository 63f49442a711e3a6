"""Tasks that are cancelled in every state (F23)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultplan.report import Report
from faultplan.run import Run, case
from faultplan.system import Job

if TYPE_CHECKING:
    from faultplan.crew import Crew

#: Points at which a task awaits.
_POINTS = 5


@case("F23", "tasks are cancelled in every state and at every await", tasks=300, kills=300)
def cancelled_tasks(run: Run) -> Report:
    """Cancels delayed, waiting, running and finished tasks; each ends once, in one way."""
    report = Report()
    crew = run.crew(lease=3.0, slots=20)
    ids = run.add(_jobs(run))
    for number in range(run.tasks):
        if number % 4 == 0 or number % 8 == 1:  # delayed ones, and half of the waiting ones
            run.session.cancel(ids[number])
    crew.start(2)
    todo = {number for number in range(run.tasks) if number % 4 > 1}
    while todo:
        todo -= _cancel_what_is_there(run, crew, ids, todo)
    report.tally = tally = run.drained()
    again = run.tally()
    report.must_lose_nothing()
    report.must("what has ended stays as it is", again == tally, again)
    report.must("nothing runs twice", tally.most_runs == 1, tally.most_runs)
    ends, notes = run.session.ends(ids), crew.notes()
    started = {int(note.number) for note in notes if note.word == "S"}
    over = {int(note.number) for note in notes if note.word in "EC"}
    report.must("every run comes to an end", started <= over, sorted(started - over))
    early = [n for n in range(run.tasks) if n % 4 == 0 or n % 8 == 1]
    wrong = [n for n in early if n in started or ends[ids[n]].status != "cancelled"]
    report.must("what was cancelled before it started never starts", not wrong, wrong)
    done = {int(note.number) for note in notes if note.word == "E"}
    both = [n for n in done if ends[ids[n]].status == "cancelled"]
    report.figures["cancelled while the outcome was under way"] = len(both)
    report.figures["cancelled"], report.figures["succeeded"] = tally.cancelled, tally.success
    return report


def _jobs(run: Run) -> list[Job]:
    jobs = []
    for number in range(run.tasks):
        delay = 3600.0 if number % 4 == 0 else 0.0
        jobs.append(Job(number, "wait", (0.05, _POINTS), delay=delay))
    return jobs


def _cancel_what_is_there(run: Run, crew: Crew, ids: list[str], todo: set[int]) -> set[int]:
    """Cancels tasks that have come to the point that chance chose for them, or to their end."""
    reached: dict[int, int] = {}
    for note in crew.notes():
        if note.word in "AE":
            reached[int(note.number)] = reached.get(int(note.number), 0) + 1
    # Each number has its point: before the first await, at one of them, or after the end.
    ready = {n for n in todo if reached.get(n, 0) > (n // 4) % (_POINTS + 1)}
    for number in ready:
        run.session.cancel(ids[number])
    run.say(f"{len(todo) - len(ready)} tasks are still to be cancelled")
    return ready
