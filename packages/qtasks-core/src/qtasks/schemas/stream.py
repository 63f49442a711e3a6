"""What a generator task gives while it runs."""

from __future__ import annotations

import msgspec

__all__ = ["Chunk", "Streamed"]


class Chunk(msgspec.Struct, frozen=True):
    """Values that a running task gave, on their way to the storage.

    Attributes:
        id: the task's id.
        token: the fencing token of the delivery that runs.
        first: the number of the first of the values; those of a run are counted from 0.
        values: the encoded values; a storage keeps them as they are. None at all tell that the run
            has given none.
        ttl: seconds that the values of the task are kept from now.
        queue: the task's queue.
    """

    id: str
    token: int
    first: int
    values: tuple[bytes, ...]
    ttl: float
    queue: str = ""


class Streamed(msgspec.Struct, frozen=True):
    """What a reader gets of the values of a task.

    Attributes:
        token: the fencing token of the run that gave them, which may be none; 0 if there is none.
        first: the number of the first of the values.
        values: the encoded values, in order; there may be more.
        ended: whether the task is over, or there is no record of it (any more).
    """

    token: int = 0
    first: int = 0
    values: tuple[bytes, ...] = ()
    ended: bool = False
