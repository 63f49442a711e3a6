"""What happens in one simulation: the jobs, what is done to the workers, and which faults occur.

Everything follows from a number, the seed. Whatever is drawn is drawn by name and not in turn, so
that what is taken away from a scenario does not change the rest of it.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

__all__ = ["HARMLESS", "Deed", "End", "Fault", "Job", "Scenario", "Step", "draw", "make_scenario"]

#: How a run ends; ``hang`` only when somebody cancels it, ``crash`` with its process.
End: TypeAlias = Literal[
    "ok", "retry", "snooze", "fail", "reject", "discard", "cancel", "hang", "crash"
]

#: What may happen to a call of a process to the broker, or to the process meanwhile.
FAULTS: Final = (
    "slow",  # it takes up to a lease and a half
    "drop_request",  # it never arrives, and the caller gets an error
    "drop_reply",  # it is carried out, and the caller gets an error
    "late",  # the caller gets an error, and afterwards it is carried out
    "duplicate",  # it is carried out twice, the second time later
    "crash_before",  # the caller dies before it has sent it
    "crash_sent",  # the caller dies while it is under way
    "crash_after",  # the caller dies when it was carried out
    "pause_before",  # the caller stands still before it has sent it
    "pause_after",  # the caller stands still and has yet to see the answer
    "clock",  # the caller's clock jumps
)
#: What costs nobody a lease, and makes nobody dangerous anew.
HARMLESS: Final = frozenset({"clock", "restart", "cancel", "pause_queue"})
#: What somebody may do.
DEEDS: Final = ("restart", "kill", "freeze", "outage", "cancel", "pause_queue", "requeue")


@dataclass(frozen=True)
class Step:
    """One run of a job.

    Attributes:
        seconds: how long it takes.
        end: how it ends.
        delay: seconds until the next run, if it ends with one.
    """

    seconds: float
    end: End
    delay: float = 0.0


@dataclass(frozen=True)
class Job:
    """One task.

    Attributes:
        id: its id.
        at: when it is added.
        steps: its runs; the last one repeats.
    """

    id: str
    at: float
    steps: tuple[Step, ...]
    queue: str = "a"
    priority: int = 0
    delay: float = 0.0
    expires: float | None = None
    unique_key: str | None = None

    def step(self, number: int) -> Step:
        """Returns what a run does that has so many settled ones before it."""
        return self.steps[min(number, len(self.steps) - 1)]

    @property
    def poison(self) -> bool:
        """Whether it kills the process that runs it."""
        return any(step.end == "crash" for step in self.steps)


@dataclass(frozen=True)
class Deed:
    """What somebody does at some time.

    Attributes:
        at: when.
        kind: one of :data:`DEEDS`.
        target: the number of a worker or a job, as the kind has it.
        seconds: for how long.
    """

    at: float
    kind: str
    target: int
    seconds: float


@dataclass(frozen=True)
class Fault:
    """What happens to one call.

    Attributes:
        kind: one of :data:`FAULTS`.
        seconds: how long, or by how much, or how much later.
    """

    kind: str
    seconds: float


@dataclass(frozen=True)
class Scenario:
    """All of it.

    Attributes:
        seed: where it comes from.
        jobs: the tasks.
        deeds: what is done.
        workers: how many processes work at once.
        slots: tasks that each of them runs at once.
        prefetch: and how many it holds ready.
        lease: seconds of a lease.
        commit_interval: as the setting.
        supervised: whether somebody sees workers die and tells the broker.
        rates: how often each kind of fault occurs; what is not in it does not.
        only: the faults that occur, by call, instead of those that would be drawn.
        calm: when faults stop.
    """

    seed: int
    jobs: tuple[Job, ...]
    deeds: tuple[Deed, ...]
    workers: int
    slots: int
    prefetch: int
    lease: float
    commit_interval: float
    supervised: bool
    rates: tuple[tuple[str, float], ...]
    only: tuple[tuple[str, Fault], ...] | None
    calm: float

    def fault(self, call: str) -> Fault | None:
        """Returns what happens to a call, if anything does.

        Args:
            call: names it: its process, what it asks for, and how many such calls were before.
        """
        if self.only is not None:
            return dict(self.only).get(call)
        mark = draw(self.seed, call)
        for kind, rate in self.rates:
            if mark < rate:
                seconds = self.lease * 1.5 * draw(self.seed, call, "seconds")
                if kind == "clock":
                    seconds = (draw(self.seed, call, "sign") - 0.5) * 1000.0
                return Fault(kind, seconds)
            mark -= rate
        return None

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of everything that goes wrong or is done."""
        faults = [kind for kind, _ in self.rates]
        if self.only is not None:
            faults = [fault.kind for _, fault in self.only]
        return frozenset([*faults, *(deed.kind for deed in self.deeds)])


def draw(*names: object) -> float:
    """Returns a number from 0 up to 1 that depends on the names alone."""
    text = "/".join(map(str, names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest(), "big") / 2**56


def make_scenario(seed: int) -> Scenario:
    """Makes the scenario of a seed; each has a subset of the faults alone."""
    rng = random.Random(seed)
    lease = rng.choice((3.0, 3.0, 6.0, 15.0))
    calm = lease * rng.uniform(3.0, 6.0)
    workers = rng.randint(1, 4)
    kinds = [kind for kind in FAULTS if rng.random() < rng.choice((0.0, 0.3, 0.6))]
    deeds = [kind for kind in DEEDS if rng.random() < rng.choice((0.0, 0.3, 0.6))]
    ends = _ends(rng)
    if rng.random() < 0.2:  # tasks alone kill workers, and many do
        kinds, deeds = [], [kind for kind in deeds if kind in HARMLESS]
        ends = ["ok", "ok", "crash"]
    jobs = [_job(rng, number, ends, calm, lease) for number in range(rng.randint(3, 24))]
    if rng.random() < 0.1:  # one task alone kills workers
        kinds, deeds = [], [kind for kind in deeds if kind in HARMLESS]
        jobs = [_harmless(job) for job in jobs]
        jobs[0] = replace(jobs[0], steps=(Step(jobs[0].steps[0].seconds, "crash"),))
    return Scenario(
        seed=seed,
        jobs=tuple(jobs),
        deeds=tuple(_deed(rng, deeds, workers, len(jobs), calm) for _ in range(10) if deeds),
        workers=workers,
        slots=rng.randint(1, 4),
        prefetch=rng.randint(0, 4),
        lease=lease,
        commit_interval=rng.choice((0.0, 0.0, 0.05)),
        supervised=rng.random() < 0.5,
        rates=tuple((kind, rng.choice((0.01, 0.03, 0.1))) for kind in kinds),
        only=None,
        calm=calm,
    )


def _ends(rng: random.Random) -> list[End]:
    """Draws which ends there are; most are good."""
    rare: tuple[End, ...] = ("retry", "snooze", "fail", "reject", "discard", "cancel", "crash")
    return ["ok", "ok", "ok", *(end for end in rare if rng.random() < 0.5)]


def _job(rng: random.Random, number: int, ends: list[End], calm: float, lease: float) -> Job:
    steps: list[Step] = []
    while not steps or steps[-1].end in ("retry", "snooze"):
        end = rng.choice(ends) if len(steps) < 4 else "ok"
        seconds = rng.choice((0.0, 0.1, 1.0, lease * 2.0))
        steps.append(Step(seconds, end, rng.choice((0.0, 0.5, lease))))
    if rng.random() < 0.04:
        steps[-1] = Step(0.0, "hang")
    return Job(
        id=f"job-{number}",
        at=rng.choice((0.0, rng.uniform(0.0, calm * 0.8))),
        steps=tuple(steps),
        queue=rng.choice(("a", "a", "b")),
        priority=rng.choice((0, 0, 0, -1, 1)),
        delay=rng.choice((0.0, 0.0, 0.0, rng.uniform(0.0, lease))),
        expires=rng.choice((None, None, None, rng.uniform(0.0, calm))),
        unique_key=rng.choice((None, None, None, "key")),
    )


def _harmless(job: Job) -> Job:
    """Returns a job that kills nobody."""
    return replace(job, steps=(Step(0.1, "ok"),)) if job.poison else job


def _deed(rng: random.Random, kinds: list[str], workers: int, jobs: int, calm: float) -> Deed:
    kind = rng.choice(kinds)
    number = jobs if kind in ("cancel", "requeue") else workers
    return Deed(
        at=rng.uniform(0.0, calm),
        kind=kind,
        target=rng.randrange(number),
        seconds=rng.uniform(0.0, calm * 0.4),
    )
