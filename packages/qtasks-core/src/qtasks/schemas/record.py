"""What a storage knows about a task."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from qtasks.schemas.error import TaskError
from qtasks.schemas.status import TaskStatusEnum

__all__ = ["CancelAnswer", "Page", "Record", "RecordQuery"]

#: How a request to cancel ended: done, passed on to the running worker, too late, or no such task.
CancelAnswer: TypeAlias = Literal["cancelled", "requested", "finished", "unknown"]


class Record(msgspec.Struct, frozen=True):
    """The stored state of one task. Times are seconds since the epoch on the storage's clock.

    Attributes:
        id: the task's uuid.
        task: its registered name.
        queue: its queue.
        status: where it stands.
        payload: the encoded arguments.
        priority: −128…127, lower runs earlier.
        headers: headers as last set.
        parent_id: id of the task that added it.
        root_id: id of the first task of that line.
        unique_key: the key it was added with, which it may hold.
        created_at: when it was accepted.
        due_at: when it may run next, or might have.
        started_at: when it was last handed out, or None.
        finished_at: when it became terminal, or None.
        result: the encoded result, if it succeeded and results are kept.
        error: the last failure, also while it waits for a retry.
        reason: why it was failed or cancelled.
        dead: whether it is listed among the dead letters.
        attempts: counted attempts.
        deliveries: hand-outs.
        lost: consecutive deliveries whose lease ran out.
        snoozes: uncounted postponements.
        requeues: times it came back from the dead letters.
        token: the newest fencing token.
        worker: id of the worker that holds it or held it last.
        history: the encoded history, or None.
        progress: the encoded :class:`~qtasks.schemas.Progress` that was last said, or None.
    """

    id: str
    task: str
    queue: str
    status: TaskStatusEnum
    payload: bytes = b""
    priority: int = 0
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    parent_id: str | None = None
    root_id: str | None = None
    unique_key: str | None = None
    created_at: float = 0.0
    due_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    result: bytes | None = None
    error: TaskError | None = None
    reason: str = ""
    dead: bool = False
    attempts: int = 0
    deliveries: int = 0
    lost: int = 0
    snoozes: int = 0
    requeues: int = 0
    token: int = 0
    worker: str = ""
    history: bytes | None = None
    progress: bytes | None = None


class RecordQuery(msgspec.Struct, frozen=True):
    """Which records to list; a field left at its default does not filter.

    Attributes:
        status: only this status.
        queue: only this queue.
        task: only this task name.
        dead: True for the dead letters alone.
        error_type: only failures of this exception type, qualified or bare (``ValueError``).
        error: only failures of this exception type, or with this text in their message.
        reason: only this reason.
        since: only records that finished (dead letters) or were created at or after this time.
        until: only those that did so before this time.
        limit: page size, 1…1000.
        cursor: the ``cursor`` of the page before, to go on after it.
    """

    status: TaskStatusEnum | None = None
    queue: str | None = None
    task: str | None = None
    dead: bool | None = None
    error_type: str | None = None
    reason: str | None = None
    since: float | None = None
    limit: int = 100
    cursor: str | None = None
    error: str | None = None
    until: float | None = None


class Page(msgspec.Struct, frozen=True):
    """One page of records, newest first.

    Attributes:
        records: the records.
        cursor: pass it on to get the next page; None at the end.
    """

    records: tuple[Record, ...] = ()
    cursor: str | None = None
