"""Unique keys, and the tasks that hold them.

A hold without an end depends on its task, which is looked at when somebody wants the key; so
starting and settling tasks write nothing here. When the row of a task is removed, a trigger of
the schema frees its key, or leaves the rest of its window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from qtasks.adapters.sqlite.states import DONE, OUTBOX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.adapters.sqlite.unit import Unit

__all__ = ["Holder", "free", "holder", "keep", "sweep", "take"]

_HOLD: Final = """
    SELECT hold.id, hold.until, task.seq, task.queue, task.state, task.deliveries,
        task.unique_until, task.unique_window, task.finished_at, task.expires_at
    FROM hold LEFT JOIN task ON task.id = hold.id WHERE hold.key = ?
"""
_TAKE: Final = "INSERT OR REPLACE INTO hold (key, id, until) VALUES (?, ?, ?)"
_KEEP: Final = """
    UPDATE hold SET until = ? + (SELECT unique_window FROM task WHERE seq = ?)
    WHERE until IS NULL AND (key, id) = (
        SELECT unique_key, id FROM task WHERE seq = ? AND unique_window IS NOT NULL
    )
"""
_FREE: Final = """
    DELETE FROM hold
    WHERE (key, id) = (SELECT unique_key, id FROM task WHERE seq = ? AND unique_key IS NOT NULL)
"""
_OVER: Final = "DELETE FROM hold WHERE until <= ?"


class Holder(msgspec.Struct, gc=False):
    """A task that has, or had, a key; in the order of ``_HOLD``.

    What belongs to the row is None if the row is gone.
    """

    id: str
    until: float | None
    seq: int | None
    queue: str | None
    state: int | None
    deliveries: int | None
    unique_until: str | None
    unique_window: float | None
    finished_at: float | None
    expires_at: float | None

    @property
    def waits(self) -> bool:
        """Whether it is neither finished nor in somebody's hands."""
        return self.state is not None and self.state <= OUTBOX

    def holds(self, now: float) -> bool:
        """Whether the key is still its own."""
        if self.until is not None:
            return self.until > now
        if self.state is None:
            return False
        if self.state == DONE:
            return (self.finished_at or 0.0) + (self.unique_window or 0.0) > now
        if self.unique_until == "started" and self.deliveries:
            return False
        return not self.waits or self.expires_at is None or self.expires_at > now


def holder(unit: Unit, key: str) -> Holder | None:
    """Returns the task that holds a key."""
    found = unit.conn.execute(_HOLD, (key,)).fetchone()
    if found is None:
        return None
    one = Holder(*found)
    return one if one.holds(unit.now) else None


def take(unit: Unit, key: str, id_: str, until: float | None) -> None:
    """Gives a key to a task, whoever had it.

    Args:
        unit: the job.
        key: the key.
        id_: the task.
        until: when it is free again; None while that depends on the task.
    """
    unit.conn.execute(_TAKE, (key, id_, until))


def keep(unit: Unit, seq: int) -> None:
    """Begins the window of a task whose row is about to go because its result is not kept."""
    unit.conn.execute(_KEEP, (unit.now, seq, seq))


def free(unit: Unit, seqs: Sequence[tuple[int]]) -> None:
    """Frees the keys of tasks that are taken away unfinished, whatever their windows."""
    unit.conn.executemany(_FREE, seqs)


def sweep(unit: Unit) -> None:
    """Forgets what is over, so that keys that are never wanted again do not pile up."""
    unit.conn.execute(_OVER, (unit.now,))
