"""What happened to a task before now."""

from __future__ import annotations

import msgspec

__all__ = ["HistoryEntry"]


class HistoryEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One settled run.

    Attributes:
        delivery: the number of the hand-out, from 1.
        worker: id of the worker process.
        started: when the run began, seconds since the epoch on the worker's clock.
        finished: when it ended, likewise.
        outcome: ``success``, ``retry``, ``fail``, ``cancel`` or ``release``.
        attempt: the number of counted attempts after this run.
        error_type: qualified name of the exception class, if one was raised.
        message: its text or the reason, at most 4 KiB.
        delay: seconds until the next run, if one follows.
    """

    delivery: int
    worker: str
    started: float
    finished: float
    outcome: str
    attempt: int = 0
    error_type: str = ""
    message: str = ""
    delay: float = 0.0
