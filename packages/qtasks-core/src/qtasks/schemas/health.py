"""How a worker does, for probes and exporters."""

from __future__ import annotations

import msgspec

__all__ = ["WorkerHealth"]


class WorkerHealth(msgspec.Struct, frozen=True):
    """How a worker does at a moment.

    Attributes:
        worker: its id.
        claiming: whether it takes tasks: it has started, and was not asked to stop.
        connected: whether the broker answered when it was last asked, by the claim loop and by the
            keeper.
        full: whether there is no room for more work, so that nobody asks the broker for it.
        moved: seconds since the claim loop last asked the broker for something or had an answer,
            which a loop that moves does every 5 s unless it is full.
        slots: how many tasks it runs at once.
        running: how many tasks run, by queue.
        prefetched: how many wait in the worker for a slot, by queue.
        busy: for how many seconds the tasks that run have been running, added up, by pool.
    """

    worker: str
    claiming: bool = False
    connected: bool = False
    full: bool = False
    moved: float = 0.0
    slots: int = 0
    running: dict[str, int] = {}
    prefetched: dict[str, int] = {}
    busy: dict[str, float] = {}
