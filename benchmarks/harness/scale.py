"""How large the measurements are."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "Scale"]


@dataclass(frozen=True)
class Scale:
    """The sizes of all measurements.

    Attributes:
        rounds: of each measurement that is not taken once.
        drain: tasks of a drain.
        drain_seconds: that a drain may take; a slow queue gets fewer tasks.
        enqueue: tasks that are added one by one; more are added in bulk.
        enqueue_seconds: after which no more are added.
        sleepers: tasks that sleep.
        plain: tasks that are plain functions.
        cpu: tasks that compute.
        delayed: tasks behind a slow wire.
        body_seconds: that each of the four before may take.
        arrivals: tasks that come one after the other.
        rate: of them in a second.
        wakes: tasks that wake an idle worker.
        pause: seconds between them.
        idle: seconds that an idle worker is watched.
        depths: how many tasks are queued, to see what that costs.
        fill_seconds: that filling a queue may take; what takes longer is not tried.
    """

    rounds: int
    drain: int
    drain_seconds: float
    enqueue: int
    enqueue_seconds: float
    sleepers: int
    plain: int
    cpu: int
    delayed: int
    body_seconds: float
    arrivals: int
    rate: float
    wakes: int
    pause: float
    idle: float
    depths: tuple[int, ...]
    fill_seconds: float


FULL = Scale(
    rounds=3,
    drain=20_000,
    drain_seconds=4.0,
    enqueue=3_000,
    enqueue_seconds=1.0,
    sleepers=10_000,
    plain=10_000,
    cpu=1_000,
    delayed=5_000,
    body_seconds=2.0,
    arrivals=400,
    rate=100.0,
    wakes=20,
    pause=0.4,
    idle=3.0,
    depths=(1_000, 10_000, 100_000, 1_000_000),
    fill_seconds=15.0,
)

#: Only shows that everything works.
QUICK = Scale(
    rounds=1,
    drain=1_000,
    drain_seconds=2.0,
    enqueue=300,
    enqueue_seconds=0.3,
    sleepers=300,
    plain=300,
    cpu=100,
    delayed=200,
    body_seconds=1.0,
    arrivals=60,
    rate=100.0,
    wakes=5,
    pause=0.3,
    idle=1.0,
    depths=(1_000, 10_000),
    fill_seconds=3.0,
)
