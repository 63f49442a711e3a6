"""What the end of a run means, and how it is sent to the broker.

The classes are the rows of the outcome table in the design; metrics, events and the docs use
their words.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from qtasks.schemas.error import TaskError

__all__ = ["Cancel", "Fail", "Outcome", "Release", "Retry", "Settlement", "Success"]


class Success(msgspec.Struct, frozen=True, tag="success"):
    """The run returned; status ``success``.

    Attributes:
        result: the encoded result, or None if it is not kept.
    """

    result: bytes | None = None


class Retry(msgspec.Struct, frozen=True, tag="retry"):
    """The task runs again.

    Attributes:
        delay: seconds until then, by the broker's clock.
        counted: True for status ``retry`` (an attempt was used), False for ``new``.
        error: why, if it failed.
        reason: a sentence for people.
    """

    delay: float = 0.0
    counted: bool = True
    error: TaskError | None = None
    reason: str = ""


class Fail(msgspec.Struct, frozen=True, tag="fail"):
    """The task failed for good; status ``error``, listed among the dead letters.

    Attributes:
        error: the failure.
        reason: one word: ``exhausted``, ``rejected``, ``worker_lost``, ``malformed``,
            ``unknown_task`` or a plugin's own.
    """

    error: TaskError
    reason: str = "exhausted"


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """The task was dropped on purpose; status ``cancel``, no dead letter.

    Attributes:
        reason: why.
    """

    reason: str = ""


class Release(msgspec.Struct, frozen=True, tag="release"):
    """The delivery is given back unrun; status ``new``, first of its priority, nothing counted."""


Outcome: TypeAlias = Success | Retry | Fail | Cancel | Release


class Settlement(msgspec.Struct, frozen=True):
    """One outcome on its way to the broker.

    Core alone fills it; brokers write what it says and compute nothing.

    Attributes:
        id: the task's id.
        token: the fencing token of the delivery that ran.
        outcome: what the end of the run means.
        attempts: counted attempts after this run.
        snoozes: uncounted postponements after this run.
        history: the whole encoded history to store, or None to leave it as it is.
        headers: headers to set on the message, or None.
        ttl: seconds the record is kept once it is terminal; 0 removes it at once.
        receipt: the delivery's ``receipt``, unchanged.
    """

    id: str
    token: int
    outcome: Outcome
    attempts: int = 0
    snoozes: int = 0
    history: bytes | None = None
    headers: dict[str, str] | None = None
    ttl: float = 86400.0
    receipt: object = None
