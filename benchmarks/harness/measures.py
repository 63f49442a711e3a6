"""What is measured: the name of each measurement, and what takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import arriving, draining, growing, wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.bench import Bench
    from harness.scale import Scale

__all__ = ["MEASURES", "Measure"]


@dataclass(frozen=True)
class Measure:
    """A measurement.

    Attributes:
        take: takes it, of one queue at an empty place, and returns figures by their names.
        about: what it is, for the command line.
        wire: whether it needs a server, not a file.
        most: rounds that are enough: fewer for counts, which do not depend on the moment.
    """

    take: Callable[[Bench, Scale], dict[str, float | None]]
    about: str
    wire: bool = False
    most: int = 100


MEASURES = {
    "enqueue": Measure(draining.enqueue, "add tasks: one by one, 32 at a time, in bulk"),
    "drain": Measure(draining.drain, "run no-ops; processor time, commands, memory"),
    "sleepers": Measure(draining.sleepers, "run tasks that sleep 10 ms, 100 at a time", most=2),
    "plain": Measure(draining.plain, "run plain functions", most=1),
    "cpu": Measure(draining.cpu, "run tasks that compute", most=1),
    "latency": Measure(arriving.latency, "open loop: from due to started, and to the result"),
    "wake": Measure(arriving.wake, "how soon an idle worker runs a task", most=1),
    "round_trips": Measure(
        wire.round_trips, "count round trips and bytes, busy and idle", wire=True, most=1
    ),
    "delay": Measure(wire.delay, "run no-ops behind 1 and 2 ms of delay", wire=True, most=1),
    "growth": Measure(growing.growth, "add and run tasks where many are queued", most=1),
}
