"""How a worker does, looked at from outside while it works."""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from typing import TYPE_CHECKING

from qtasks._version import __version__
from qtasks.schemas import Presence, WorkerHealth

if TYPE_CHECKING:
    from qtasks._worker.keeper import Keeper
    from qtasks._worker.pump import Pump
    from qtasks._worker.runner import Runner
    from qtasks._worker.worker import Worker
    from qtasks.typing import Clock

__all__ = ["look_at", "presence_of"]


def look_at(
    worker: Worker, pump: Pump, runner: Runner, keeper: Keeper, *, runs: bool, clock: Clock
) -> WorkerHealth:
    """Returns how a worker does; from any thread, and without keeping its loop.

    Args:
        worker: the worker, which has been started.
        pump: its pump.
        runner: its runner.
        keeper: its keeper.
        runs: whether it runs, and was not asked to stop.
        clock: its time.
    """
    now = clock.time()
    running: Counter[str] = Counter()
    busy: dict[str, float] = {}
    for passage in runner.passages():
        running[passage.delivery.message.queue] += 1
        if passage.task is not None and passage.started:
            pool = passage.task.pool
            busy[pool] = busy.get(pool, 0.0) + max(0.0, now - passage.started)
    connected, full = pump.standing()
    return WorkerHealth(
        worker=worker.id,
        claiming=runs,
        connected=connected and keeper.connected,
        full=full,
        moved=max(0.0, time.monotonic() - pump.moved_at),
        slots=worker.config.max_tasks_process,
        running=dict(running),
        prefetched=dict(Counter(delivery.message.queue for delivery in pump.waiting())),
        busy=busy,
    )


def presence_of(worker: Worker, running: int, started_at: float) -> Presence:
    """Returns how a worker reports itself.

    Args:
        worker: the worker.
        running: how many tasks run.
        started_at: when it started, seconds since the epoch.
    """
    return Presence(
        worker=worker.id,
        host=socket.gethostname(),
        pid=os.getpid(),
        queues=worker.queues,
        slots=worker.config.max_tasks_process,
        running=running,
        started_at=started_at,
        version=__version__,
    )
