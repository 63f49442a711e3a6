"""What the calls of an app were given: checked, and turned into what a client takes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from qtasks._runtime.seconds import number_of
from qtasks.app.task import BaseTask, split_options
from qtasks.exc import TaskArgumentsError
from qtasks.schemas import RecordQuery, TaskCall, TaskStatusEnum

if TYPE_CHECKING:
    from qtasks.app.base import BaseQueueTasks

__all__ = ["as_id", "check_calls", "make_call", "make_query"]


def make_call(
    app: BaseQueueTasks,
    task: str | BaseTask[Any, Any, Any],
    args: tuple[Any, ...],
    keywords: dict[str, Any],
) -> TaskCall:
    """Makes a call from what ``app.add_task`` was given."""
    if isinstance(task, BaseTask):
        return task._call_with_options(args, keywords, app)  # noqa: SLF001 - one concept in two modules
    options, kwargs = split_options(keywords)
    return TaskCall(task, args, kwargs, options)


def as_id(task_id: str | UUID) -> str:
    """Checks an id and returns it as text.

    Raises:
        TaskArgumentsError: it is not a uuid.
    """
    try:
        return str(task_id if isinstance(task_id, UUID) else UUID(task_id))
    except (ValueError, AttributeError, TypeError):
        msg = f"{task_id!r} is not the id of a task: ids are uuids"
        raise TaskArgumentsError(msg) from None


def make_query(
    *,
    now: float,
    status: str | TaskStatusEnum | None = None,
    queue: str | None = None,
    task: str | None = None,
    dead: bool | None = None,
    error_type: str | None = None,
    error: str | None = None,
    reason: str | None = None,
    since: float | timedelta | None = None,
    until: float | timedelta | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> RecordQuery:
    """Makes a query from what ``app.list_tasks`` was given; times may count back from now."""
    texts: dict[str, Any] = {"queue": queue, "task": task, "error": error, "reason": reason}
    for name, value in texts.items():
        if value is not None and not isinstance(value, str):
            msg = f"{name}={value!r}; use text, or None to leave it open"
            raise TaskArgumentsError(msg)
    if error is not None and not error.strip():
        msg = f"error={error!r} would match every error; write a part of one, or leave it out"
        raise TaskArgumentsError(msg)
    try:
        wanted = None if status is None else TaskStatusEnum(status)
    except ValueError:
        known = ", ".join(TaskStatusEnum)
        msg = f"status={status!r}; use one of {known}"
        raise TaskArgumentsError(msg) from None
    if not 1 <= limit <= 1000:  # noqa: PLR2004 - the range the docstring of RecordQuery gives
        msg = f"limit={limit!r}; use a number from 1 to 1000"
        raise TaskArgumentsError(msg)
    return RecordQuery(
        status=wanted,
        queue=queue,
        task=task,
        dead=dead,
        error_type=error_type,
        error=error,
        reason=reason,
        since=_moment("since", since, now),
        until=_moment("until", until, now),
        limit=limit,
        cursor=cursor,
    )


def _moment(name: str, given: Any, now: float) -> float | None:
    if given is None:
        return None
    moment = number_of(now - given.total_seconds() if isinstance(given, timedelta) else given)
    if moment is None:
        msg = f"{name}={given!r}; use seconds since the epoch, or a timedelta back from now"
        raise TaskArgumentsError(msg)
    return moment


def check_calls(calls: Any) -> list[TaskCall]:
    """Checks what ``app.add_tasks`` was given.

    Raises:
        TaskArgumentsError: it is not a collection of calls.
    """
    if isinstance(calls, TaskCall):
        msg = (
            "add_tasks takes many calls: write add_tasks([task.build(...)]), or task.add_task(...)"
        )
        raise TaskArgumentsError(msg)
    listed = list(calls)
    for call in listed:
        if not isinstance(call, TaskCall):
            msg = f"add_tasks takes what task.build(...) returns, not {call!r}"
            raise TaskArgumentsError(msg)
    return listed
