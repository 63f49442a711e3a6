"""A run that has ended."""

from __future__ import annotations

import msgspec

from qtasks.schemas.definition import TaskDefinition
from qtasks.schemas.delivery import Delivery
from qtasks.schemas.outcome import Settlement

__all__ = ["Finished"]


class Finished(msgspec.Struct, frozen=True):
    """A run that ended and waits to be settled.

    Attributes:
        delivery: what was run.
        task: its registered task, or None if this worker does not know it.
        settlement: what goes to the broker.
        started: when the run began, seconds since the epoch on the worker's clock.
        ended: when its outcome was known, likewise; 0.0 if nobody listens to ``worker_outcome`` or
            ``worker_exchanged``.
    """

    delivery: Delivery
    task: TaskDefinition | None
    settlement: Settlement
    started: float = 0.0
    ended: float = 0.0
