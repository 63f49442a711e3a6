"""Measurements of what passes between worker and server, and of what a slow wire costs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from harness.running import FailedError
from harness.settling import wait_until_quiet
from harness.sizes import fit
from harness.slow_wire import SlowWire

if TYPE_CHECKING:
    from harness.bench import Bench
    from harness.scale import Scale

__all__ = ["delay", "round_trips"]

#: How long a request is held back, in ms.
DELAYS = (1, 2)
#: A wire makes a queue slower by this much at least: only for how many tasks there are.
SLOWER = 4
#: Seconds after which a drain behind a slow wire is cut off; its rate is that of the runs so far.
CUT_OFF = 6.0


def round_trips(bench: Bench, scale: Scale) -> dict[str, float | None]:
    """Counts what a busy worker and an idle one send; the proxy slows them, so nothing is timed."""
    tasks = fit(bench.pace.drain / SLOWER, scale.delayed, scale.body_seconds)
    ids = bench.fill(tasks)
    with (
        bench.place.through_proxy() as proxy,
        bench.place.listening() as said,
        bench.working(tasks, url=proxy.url) as (process, log),
    ):
        bench.wait(process, log, tasks)
        wait_until_quiet(said, bench.place.noise)
        busy = proxy.reset()
        before = said()
        time.sleep(scale.idle)
        idle, commands = proxy.reset(), said() - before
        log.once(range(tasks))
        bench.read_back(ids)
    return {
        "round_trips_per_task": busy.round_trips / tasks,
        "bytes_per_task": (busy.sent + busy.received) / tasks,
        "idle_round_trips_per_s": idle.round_trips / scale.idle,
        "idle_commands_per_s": commands / scale.idle,
    }


def delay(bench: Bench, scale: Scale) -> dict[str, float | None]:
    """Runs tasks behind a wire that holds every request back."""
    return {f"delay_{ms}ms_per_s": _behind(bench, scale, ms) for ms in DELAYS}


def _behind(bench: Bench, scale: Scale, milliseconds: int) -> float:
    """Returns the tasks a second behind such a wire."""
    tasks = fit(bench.pace.drain / SLOWER, scale.delayed, scale.body_seconds)
    ids = bench.fill(tasks)
    with (
        SlowWire(bench.place.url, milliseconds / 1000) as slow,
        bench.place.listening() as said,
        bench.working(tasks, url=slow.url) as (process, log),
    ):
        bench.wait(process, log, 1)
        try:
            bench.wait(process, log, tasks, CUT_OFF)
        except FailedError:
            times = log.once().values()
            return (len(times) - 1) / (max(times) - min(times)) * 1e9
        last = wait_until_quiet(said, bench.place.noise)
        begun = log.once(range(tasks))
        bench.read_back(ids)
    return tasks / (last.time - min(begun.values()) / 1e9)
