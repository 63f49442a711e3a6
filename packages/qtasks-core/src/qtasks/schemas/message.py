"""What a producer hands to a broker."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Message", "Receipt"]


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call of a task, ready to be queued.

    Attributes:
        id: the task's uuid as text; publishing is idempotent by it.
        task: the registered name of the task.
        queue: the queue it waits in.
        payload: the encoded arguments.
        priority: −128…127 as with Unix nice: lower runs earlier, FIFO within a level.
        delay: seconds from acceptance until it may run, by the broker's clock.
        eta: seconds since the epoch before which it may not run; the later of both counts.
        expires: seconds from acceptance after which it is cancelled instead of started.
        unique_key: while a task holds this key, publishing returns that task's id.
        unique_until: when the key is free again: ``finished``, once the task has ended in any way;
            ``started``, once it was handed to a worker for the first time; ``added``, when
            ``unique_window`` is over, whatever becomes of the task.
        unique_window: seconds for which the key is held after that moment; ``started`` has none.
        unique_replaces: whether a task that holds the key and waits gives way: it ends as
            cancelled with the reason ``replaced``, in the same step. One that runs does not. How a
            key is held matters where the message is published; a delivery need not repeat it.
        headers: small text values that travel with the task and are not arguments.
        parent_id: id of the task that added this one.
        root_id: id of the first task of that line.
    """

    id: str
    task: str
    queue: str
    payload: bytes
    priority: int = 0
    delay: float = 0.0
    eta: float | None = None
    expires: float | None = None
    unique_key: str | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    parent_id: str | None = None
    root_id: str | None = None
    unique_until: Literal["added", "started", "finished"] = "finished"
    unique_window: float = 0.0
    unique_replaces: bool = False


class Receipt(msgspec.Struct, frozen=True):
    """The broker's answer to one published message.

    Attributes:
        id: the id under which the task is known; another one's if ``unique_key`` was held.
        created: False if the id or the unique key was already there and nothing was written.
    """

    id: str
    created: bool
