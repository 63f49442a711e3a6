"""One call of a task, before it is encoded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from qtasks.schemas.unique import OnConflict, Uniqueness

__all__ = ["NO_OPTIONS", "CallOptions", "TaskCall"]


class CallOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How one call is queued; None leaves it to the task or the app.

    Attributes:
        timeout: seconds to wait for the end of the task; None does not wait.
        priority: −128…127 as with Unix nice: lower runs earlier.
        delay: seconds (or a timedelta) until it may run.
        eta: a time before which it may not run: an aware datetime or seconds since the epoch.
        queue: the queue it waits in.
        task_id: its uuid; adding the same one again changes nothing.
        unique_key: while a task holds this key, which it does until it has ended unless ``unique``
            says otherwise, adding returns that task.
        unique: how calls are told apart, and how their key is held: a
            :class:`~qtasks.schemas.Unique`, what its ``by`` takes, or False for a call that is not
            unique; None leaves it to the task.
        on_conflict: what happens if the key is held: ``existing`` returns the handle of the task
            that holds it, ``skip`` returns None, ``replace`` cancels that task if it waits,
            ``raise`` raises ``UniqueConflictError``; None leaves it to ``unique``.
        expires: seconds (or a timedelta) after which it is cancelled instead of started, or an
            aware datetime; None leaves it to the task.
        headers: small text values that travel with the task.
    """

    timeout: float | None = None
    priority: int | None = None
    delay: float | timedelta | None = None
    eta: float | datetime | None = None
    queue: str | None = None
    task_id: str | UUID | None = None
    unique_key: str | None = None
    unique: Uniqueness = None
    on_conflict: OnConflict | None = None
    expires: float | timedelta | datetime | None = None
    headers: Mapping[str, str] | None = None


#: What most calls have; one object, so that they are told by it.
NO_OPTIONS = CallOptions()


class TaskCall(msgspec.Struct, frozen=True):
    """A call that was built and can be added, alone or with others.

    Attributes:
        task_name: the task's name.
        args: positional arguments.
        kwargs: keyword arguments.
        options: how it is queued.
    """

    task_name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = msgspec.field(default_factory=dict)
    options: CallOptions = NO_OPTIONS
