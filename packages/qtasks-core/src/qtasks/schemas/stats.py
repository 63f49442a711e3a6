"""Counts and presences, for people and exporters."""

from __future__ import annotations

import msgspec

__all__ = ["Presence", "QueueStats"]


class QueueStats(msgspec.Struct, frozen=True):
    """How a queue stands now.

    Attributes:
        queue: its name.
        ready: tasks that may run now.
        delayed: tasks whose time has not come (delays, retries, snoozes).
        leased: tasks in the hands of workers.
        dead: dead letters.
        paused: whether claiming from it is paused.
        oldest_ready_age: seconds the oldest ready task has been allowed to run, or None.
        oldest_lease_age: seconds since the oldest leased task was handed out, or None.
        next_due_in: seconds until the next delayed task may run, or None.
        finished: succeeded, failed and cancelled tasks whose records are still kept.
        dropped: dead letters that were dropped unseen, because they were too many or too old;
            counted since the queue was made.
    """

    queue: str
    ready: int = 0
    delayed: int = 0
    leased: int = 0
    dead: int = 0
    paused: bool = False
    oldest_ready_age: float | None = None
    oldest_lease_age: float | None = None
    next_due_in: float | None = None
    finished: int = 0
    dropped: int = 0


class Presence(msgspec.Struct, frozen=True):
    """A worker process that says it is alive.

    Attributes:
        worker: its id.
        host: the host's name.
        pid: the process id.
        queues: the queues it takes from.
        slots: how many tasks it runs at once.
        running: how many it runs now.
        started_at: when it started, seconds since the epoch on its own clock.
        version: version of qtasks-core it runs.
    """

    worker: str
    host: str = ""
    pid: int = 0
    queues: tuple[str, ...] = ()
    slots: int = 0
    running: int = 0
    started_at: float = 0.0
    version: str = ""
