"""One call of a task, before it is encoded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

__all__ = ["CallOptions", "TaskCall"]


class CallOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How one call is queued; None leaves it to the task or the app.

    Attributes:
        timeout: seconds to wait for the end of the task; None does not wait.
        priority: −128…127 as with Unix nice: lower runs earlier.
        delay: seconds (or a timedelta) until it may run.
        eta: a time before which it may not run: an aware datetime or seconds since the epoch.
        queue: the queue it waits in.
        task_id: its uuid; adding the same one again changes nothing.
        unique_key: while an unfinished task holds this key, adding returns that task.
        expires: seconds (or a timedelta) after which it is cancelled instead of started.
        headers: small text values that travel with the task.
    """

    timeout: float | None = None
    priority: int | None = None
    delay: float | timedelta | None = None
    eta: float | datetime | None = None
    queue: str | None = None
    task_id: str | UUID | None = None
    unique_key: str | None = None
    expires: float | timedelta | None = None
    headers: Mapping[str, str] | None = None


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
    options: CallOptions = CallOptions()
