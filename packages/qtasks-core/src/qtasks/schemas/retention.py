"""How long finished tasks are kept, how many, and when a suspect is convicted."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["MAX_LOST", "Retention"]

#: Consecutive losses after which a task is set aside as ``worker_lost``.
MAX_LOST: Final = 3


class Retention(msgspec.Struct, frozen=True):
    """What a broker or storage uses where it ends tasks by itself.

    Attributes:
        result_ttl: seconds a cancelled or expired task is kept.
        dead_ttl: seconds a convicted task is kept among the dead letters.
        dead_limit: how many dead letters a queue keeps; a sweep drops the oldest beyond it.
    """

    result_ttl: float = 86400.0
    dead_ttl: float = 1209600.0
    dead_limit: int = 10_000
