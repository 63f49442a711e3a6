"""A failed attempt, as a policy sees it."""

from __future__ import annotations

import msgspec

__all__ = ["Failure"]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A failed attempt; what ``classify`` of a policy is asked about.

    Attributes:
        error: the exception. One from another process is a stand-in, see ``error_type``.
        error_type: its class by name, such as ``builtins.ValueError``; for an exception that was
            raised in a pool process, that of the original.
        task: the task's name.
        task_id: its id.
        attempt: counted attempts, this one included.
        max_attempts: how many there may be.
        elapsed: seconds since the task was accepted.
        now: seconds since the epoch by the clock of the broker.
        expires: seconds from acceptance after which the task is not started any more, or None.
    """

    error: BaseException
    error_type: str
    task: str
    task_id: str
    attempt: int
    max_attempts: int
    elapsed: float = 0.0
    now: float = 0.0
    expires: float | None = None
