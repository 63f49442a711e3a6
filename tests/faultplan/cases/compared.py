"""The forms of F1, F3 and F7 in which queues are compared: one size and one lease for all.

They ask a queue for nothing but adding tasks and reading results, and every wait has an end, after
which the case goes on and says what has not happened.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from faultplan.crew import appears, children_of
from faultplan.peers.catalogue import SHARED
from faultplan.report import Report
from faultplan.run import Run, case
from faultplan.system import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from faultplan.crew import Crew, Worker
    from faultplan.oracle import Tally

#: Seconds between two kills.
_RHYTHM = 1.5
#: Tasks that are added at once.
_PART = 20
#: Seconds between two parts, while a worker inside a task is looked for.
_LOOK = 0.25
#: Seconds in which a worker that is to be killed must be found inside a task.
_SEARCH = 2.0
#: Seconds in which what is not lost must have ended, once nothing is broken any more.
_WAIT = 60.0
#: Seconds in which a result must be stored once its task has ended.
_STORED = 10.0
#: Seconds that a stale worker gets to tell its result, once its task has ended.
_STALE = 5.0
#: Seconds in which others must take up what a halted worker holds.
_ELSEWHERE = 40.0
#: Seconds in which workers must be back at work after the server.
_BACK = 20.0
#: Seconds of a task that is one of many: at least, and at most.
_SHORT = (0.01, 0.02)
#: Seconds of the tasks that a halted worker holds.
_LONG = 2.0
#: Seconds that a worker takes at most to end of what has happened to the server.
_DYING = 1.0
#: Seconds that the server is away.
_AWAY = 0.4


class Feed:
    """Makes and adds tasks, and knows which of them have ended."""

    def __init__(self, run: Run, crew: Crew) -> None:
        self.added = 0
        self._run = run
        self._crew = crew

    def add(self, count: int, seconds: Callable[[], float]) -> None:
        """Adds so many tasks of so many seconds."""
        numbers = range(self.added, self.added + count)
        self.added += count
        self._run.add([Job(number, "work", (seconds(),)) for number in numbers])

    def ended(self) -> set[str]:
        """The numbers of tasks of which a run came to its end."""
        return {note.number for note in self._crew.noted("E")}

    def all_ended(self) -> bool:
        """Whether that holds for all of them."""
        return len(self.ended()) >= self.added


def _short(run: Run) -> Callable[[], float]:
    return lambda: run.rng.uniform(*_SHORT)


def _busy_ones(crew: Crew) -> list[Worker[bytes]]:
    """Returns the workers that are inside a task, themselves or in a process they started."""
    return [
        worker
        for worker in crew.workers
        if any(map(crew.busy, {worker.pid} | children_of(worker.pid)))
    ]


def _settled(run: Run, feed: Feed, report: Report) -> Tally:
    """Waits until everything ran and its result is stored, or time is over, and counts."""
    run.say("until everything has ended")
    over = time.monotonic() + _WAIT
    appears(feed.all_ended, _WAIT)
    run.drained(max(_STORED, over - time.monotonic()))
    time.sleep(SHARED.lease)  # what ended may still be repeated
    report.figures["did not run"] = feed.added - len(feed.ended())
    return run.tally()


@case(
    "F1",
    "workers are killed inside a task, and replaced",
    tasks=1500,
    kills=15,
    brokers=("redis",),
    compared=True,
)
def killed_workers(run: Run) -> Report:
    """Kills the oldest of three workers again and again, with all its descendants."""
    report = Report()
    crew = run.crew(lease=SHARED.lease, slots=SHARED.slots)
    feed, seconds, burst = Feed(run, crew), _short(run), run.tasks * 4 // 5 // run.kills
    crew.start(3)
    feed.add(run.tasks - burst * run.kills, seconds)
    run.until(lambda: crew.noted("S"), "work begins")
    idle = 0
    for kill in range(run.kills):
        time.sleep(_RHYTHM)
        run.say(f"kill {kill + 1} of {run.kills}")
        parts = iter([_PART] * (burst // _PART) + [burst % _PART])
        victim = _find_inside_a_task(crew, feed, parts, seconds)
        idle += victim is None
        crew.kill_all_of(victim or crew.workers[0])
        crew.start()
        for part in parts:
            feed.add(part, seconds)
    last = max(fault.at for fault in crew.faults)
    report.tally = tally = _settled(run, feed, report)
    report.figures["kills outside of tasks"] = idle
    report.figures["all ran after the last kill, s"] = _all_ran(crew, feed, last)
    report.must_lose_nothing()
    report.must("nobody is convicted", tally.dead == 0, tally.dead)
    report.must("kills hit running tasks", tally.interrupted > 0, tally.interrupted)
    return report


def _find_inside_a_task(
    crew: Crew, feed: Feed, parts: Iterator[int], seconds: Callable[[], float]
) -> Worker[bytes] | None:
    """Adds tasks part by part until a worker is inside one; of several, returns the oldest.

    Returns:
        None if there never is one.
    """
    found: list[Worker[bytes]] = []

    def search() -> bool:
        found[:] = _busy_ones(crew)
        return bool(found)

    for part in parts:
        feed.add(part, seconds)
        if appears(search, _LOOK):
            return found[0]
    return found[0] if appears(search, _SEARCH) else None


def _all_ran(crew: Crew, feed: Feed, since: float) -> float | None:
    """Returns the seconds until the last task ended for the first time; None if one did not."""
    first: dict[str, float] = {}
    for note in crew.noted("E"):
        first.setdefault(note.number, note.at)
    return max(0.0, max(first.values()) - since) if feed.all_ended() else None


@case(
    "F3",
    "the server is killed and starts again",
    tasks=1200,
    kills=5,
    brokers=("redis",),
    compared=True,
)
def killed_server(run: Run) -> Report:
    """Kills the server under two workers; those that end because of it are started anew."""
    server, report = run.broker.server, Report()
    assert server is not None, f"{run.broker.kind} is no server that can be killed here"
    crew = run.crew(lease=SHARED.lease, slots=2)
    feed, back, gone = Feed(run, crew), [], 0
    feed.add(run.tasks, lambda: 0.04)
    crew.start(2)
    run.until(lambda: crew.noted("S"), "work begins")
    for kill in range(run.kills):
        time.sleep(_RHYTHM - _DYING if kill else _RHYTHM)
        run.say(f"kill {kill + 1} of {run.kills}")
        run.fault("server")
        server.kill()
        time.sleep(_AWAY)
        server.start()
        if not feed.all_ended():
            back.append(_back_at_work(crew))
        gone += _replace_the_dead(crew)
    report.tally = _settled(run, feed, report)
    came = [seconds for seconds in back if seconds is not None]
    report.figures["workers that ended"] = gone
    report.figures["back at work, times"] = len(came)
    report.figures["back at work after at most, s"] = max(came, default=None)
    report.must_lose_nothing()
    report.must("every worker outlives the server", gone == 0, gone)
    return report


def _back_at_work(crew: Crew) -> float | None:
    """Returns the seconds until a task starts, now that the server answers; None if none does.

    A worker that is about to end may still start what it has fetched before; that is no work.
    """
    began = time.monotonic()

    def starts() -> list[float]:
        lives = {pid for worker in _living(crew) for pid in {worker.pid} | children_of(worker.pid)}
        return [note.at for note in crew.noted("S") if note.at > began and note.pid in lives]

    appears(lambda: starts() or not _living(crew), _BACK)
    time.sleep(_DYING)
    return min(starts()) - began if starts() else None


def _living(crew: Crew) -> list[Worker[bytes]]:
    return [worker for worker in crew.workers if worker.poll() is None]


def _replace_the_dead(crew: Crew) -> int:
    """Starts workers in place of those that have ended by themselves, and returns how many."""
    dead = [worker for worker in crew.workers if worker.poll() is not None]
    for worker in dead:
        crew.workers.remove(worker)
    if dead:
        crew.start(len(dead))
    return len(dead)


@case(
    "F7",
    "a worker stands still longer than its lease",
    tasks=SHARED.slots,
    kills=1,
    brokers=("redis",),
    compared=True,
)
def paused_worker(run: Run) -> Report:
    """Halts a worker inside its tasks until another one has run them; then it goes on.

    The other one gets a small task each second, because some queues look for tasks of silent
    workers only when there are new ones.
    """
    report = Report()
    crew = run.crew(lease=SHARED.lease, slots=SHARED.slots)
    tasks = min(run.tasks, SHARED.slots)
    feed, held = Feed(run, crew), {str(number) for number in range(tasks)}
    feed.add(tasks, lambda: _LONG)
    worker = crew.start()
    run.until(lambda: {note.number for note in crew.noted("S")} >= held, "one worker runs all")
    halted = crew.pause_all_of(worker)
    crew.start()

    def ran(by_halted: bool) -> set[str]:
        return held & {n.number for n in crew.noted("E") if (n.pid in halted) == by_halted}

    run.say("until they have run elsewhere")
    deadline = time.monotonic() + _ELSEWHERE
    while ran(by_halted=False) < held and time.monotonic() < deadline:
        feed.add(1, _short(run))
        appears(lambda: ran(by_halted=False) >= held, 1.0)
    elsewhere = len(ran(by_halted=False))
    ids = [run.ledger().ids[int(number)] for number in held]
    stored = lambda: sum(end.final for end in run.session.ends(ids).values()) >= elsewhere  # noqa: E731 - used once
    appears(stored, _STORED)
    crew.resume_all_of(halted)
    appears(lambda: ran(by_halted=True) >= held, _STORED)
    appears(lambda: run.tally().overwritten >= elsewhere > 0, _STALE)
    report.tally = run.drained(_STORED)
    report.figures["halted inside"] = tasks
    report.figures["ran elsewhere"] = elsewhere
    report.figures["ran on after the pause"] = len(ran(by_halted=True))
    report.must("all is taken up while its worker stands still", elsewhere == tasks, elsewhere)
    report.must_lose_nothing()
    return report
