"""One task as the store holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qtasks.schemas import Delivery, Message, Record, TaskStatusEnum

if TYPE_CHECKING:
    from qtasks.adapters.memory.heap import Heap
    from qtasks.schemas import TaskError

__all__ = ["Row"]


class Row:
    """The mutable state of a task; only the store changes it.

    Attributes:
        home: the heap it waits in: a lane, the delayed, the schedule, the leases, the finished.
        beside: whether its broker is elsewhere, so that it never enters a lane.
        held: whether :meth:`Store.due` gave it out and its publishing is not reported yet.
        lease_until: when the lease of its holder runs out; None if nobody holds it.
        expires_at: when it is cancelled unless it was started.
        cancel: the reason of a request to cancel, while it runs.
    """

    __slots__ = (
        "attempts",
        "beside",
        "cancel",
        "created_at",
        "dead",
        "deliveries",
        "due_at",
        "error",
        "expires_at",
        "finished_at",
        "held",
        "history",
        "home",
        "id",
        "lease_until",
        "lost",
        "message",
        "progress",
        "queue",
        "reason",
        "requeues",
        "result",
        "seq",
        "snoozes",
        "started_at",
        "status",
        "token",
        "unique_key",
        "worker",
    )

    def __init__(self, message: Message, seq: int, now: float, *, beside: bool) -> None:
        # A copy, as a server would have: nobody else may change the headers from now on.
        self.message = msgspec.structs.replace(message, headers=dict(message.headers))
        self.id = message.id
        self.queue = message.queue
        self.unique_key = message.unique_key
        self.seq = seq
        self.beside = beside
        self.held = False
        self.home: Heap | None = None
        self.status = TaskStatusEnum.NEW
        self.created_at = now
        due_at = now + message.delay
        self.due_at = due_at if message.eta is None else max(due_at, message.eta)
        self.expires_at = None if message.expires is None else now + message.expires
        self.started_at: float | None = None
        self.finished_at: float | None = None
        self.lease_until: float | None = None
        self.token = 0
        self.worker = ""
        self.cancel: str | None = None
        self.attempts = 0
        self.deliveries = 0
        self.lost = 0
        self.snoozes = 0
        self.requeues = 0
        self.result: bytes | None = None
        self.error: TaskError | None = None
        self.reason = ""
        self.dead = False
        self.history: bytes | None = None
        self.progress: bytes | None = None

    @property
    def waits(self) -> bool:
        """Whether it is neither finished nor in somebody's hands."""
        return self.finished_at is None and self.lease_until is None

    def copy_message(self) -> Message:
        """Returns the message with headers of its own."""
        return msgspec.structs.replace(self.message, headers=dict(self.message.headers))

    def delivery(self, receipt: object = None) -> Delivery:
        """Returns the newest hand-out."""
        return Delivery(
            message=self.copy_message(),
            token=self.token,
            attempts=self.attempts,
            deliveries=self.deliveries,
            lost=self.lost,
            snoozes=self.snoozes,
            enqueued_at=self.created_at,
            due_at=self.due_at,
            claimed_at=self.started_at or 0.0,
            history=self.history,
            receipt=receipt,
            expires_at=self.expires_at,
        )

    def record(self) -> Record:
        """Returns what a storage shows of it."""
        message = self.message
        return Record(
            id=self.id,
            task=message.task,
            queue=self.queue,
            status=self.status,
            payload=message.payload,
            priority=message.priority,
            headers=dict(message.headers),
            parent_id=message.parent_id,
            root_id=message.root_id,
            unique_key=self.unique_key,
            created_at=self.created_at,
            due_at=self.due_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
            result=self.result,
            error=self.error,
            reason=self.reason,
            dead=self.dead,
            attempts=self.attempts,
            deliveries=self.deliveries,
            lost=self.lost,
            snoozes=self.snoozes,
            requeues=self.requeues,
            token=self.token,
            worker=self.worker,
            history=self.history,
            progress=self.progress,
        )
