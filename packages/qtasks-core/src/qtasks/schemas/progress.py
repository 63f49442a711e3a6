"""How far a running task is."""

from __future__ import annotations

from datetime import datetime

import msgspec

__all__ = ["Progress", "Progressed"]


class Progress(msgspec.Struct, frozen=True):
    """What a task last said about how far it is.

    Attributes:
        done: how much is done, in whatever the task counts.
        total: how much there is to do, or None if the task does not know.
        note: a few words for people.
        at: when it was said, in UTC on the worker's clock.
    """

    done: int | float
    total: int | float | None
    note: str
    at: datetime

    @property
    def fraction(self) -> float | None:
        """The part that is done, 0 to 1; None without a total."""
        if not self.total:
            return None
        return min(1.0, self.done / self.total)


class Progressed(msgspec.Struct, frozen=True):
    """A report of progress on its way to the storage.

    Attributes:
        id: the task's id.
        token: the fencing token of the delivery that runs.
        data: the encoded :class:`Progress`; a storage keeps it as it is.
        queue: the task's queue.
    """

    id: str
    token: int
    data: bytes
    queue: str = ""
