"""What a broker hands to a worker, and the small questions and answers around it."""

from __future__ import annotations

import msgspec

from qtasks.schemas.message import Message

__all__ = ["Begun", "Claim", "Delivery", "Exchange", "Extension", "Held", "Swept"]


class Delivery(msgspec.Struct, frozen=True, weakref=True):
    """One hand-out of a task, under a lease.

    Attributes:
        message: the task; its ``delay`` is what was asked for at enqueue.
        token: the fencing token; only the newest one of a task can settle it.
        attempts: counted attempts before this run.
        deliveries: how often the task was handed out, this one included.
        lost: consecutive deliveries whose lease ran out; above 0 the task is a *suspect*.
        snoozes: uncounted postponements so far.
        enqueued_at: when it was accepted, seconds since the epoch, broker's clock.
        due_at: when it was allowed to run, likewise.
        claimed_at: when it was handed out, likewise.
        history: the encoded history, or None.
        malformed: why the stored message cannot be read, or None; such a delivery only fails.
        expires_at: when it must have been started, likewise, or None.
        receipt: whatever the broker needs to recognise the delivery when it is settled.
    """

    message: Message
    token: int
    attempts: int = 0
    deliveries: int = 1
    lost: int = 0
    snoozes: int = 0
    enqueued_at: float = 0.0
    due_at: float = 0.0
    claimed_at: float = 0.0
    history: bytes | None = None
    malformed: str | None = None
    receipt: object = None
    expires_at: float | None = None

    @property
    def id(self) -> str:
        """The task's id."""
        return self.message.id


class Claim(msgspec.Struct, frozen=True):
    """A worker's request for deliveries.

    Attributes:
        queues: names to take from, the first one first.
        limit: how many at the most.
        lease: seconds until an unrenewed delivery is taken back.
        worker: id of the worker process.
        suspects: how many of the deliveries may be suspects (0 or 1).
    """

    queues: tuple[str, ...]
    limit: int
    lease: float
    worker: str
    suspects: int = 1


class Exchange(msgspec.Struct, frozen=True):
    """The answer to settling and claiming in one call.

    Attributes:
        refused: ids whose token was stale; nothing was written for them.
        deliveries: what was claimed.
    """

    refused: tuple[str, ...] = ()
    deliveries: tuple[Delivery, ...] = ()


class Held(msgspec.Struct, frozen=True):
    """A delivery that a worker holds and wants to keep.

    Attributes:
        id: the task's id.
        token: its fencing token.
        queue: its queue.
    """

    id: str
    token: int
    queue: str = ""


class Extension(msgspec.Struct, frozen=True):
    """The answer to a renewal of leases.

    Attributes:
        lost: ids that are not the asking worker's any more.
        cancelled: reasons by id, for running tasks that somebody asked to cancel.
    """

    lost: tuple[str, ...] = ()
    cancelled: dict[str, str] = msgspec.field(default_factory=dict)


class Swept(msgspec.Struct, frozen=True):
    """What one bounded round of housekeeping did.

    Attributes:
        taken_back: ids whose lease had run out and that wait again.
        convicted: ids set aside as dead letters after their third loss.
        expired: ids cancelled because they were not started in time.
        purged: number of finished records removed after their time.
        more: whether a bound was hit, so that another round is due at once.
        next_lease_end: seconds until the earliest lease ends if nobody renews it; None if there is
            none, or if that is not known.
    """

    taken_back: tuple[str, ...] = ()
    convicted: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    purged: int = 0
    more: bool = False
    next_lease_end: float | None = None


class Begun(msgspec.Struct, frozen=True):
    """A storage's answer to deliveries that come from a broker elsewhere.

    Attributes:
        deliveries: those to run, with the storage's token, counts and history filled in.
        skip: ids that are finished, cancelled, expired or convicted: acknowledge, do not run.
        busy: ids that another worker holds under a live lease: leave them to the broker.
    """

    deliveries: tuple[Delivery, ...] = ()
    skip: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()
