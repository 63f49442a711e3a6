"""What the calls of an app were given: checked, and turned into what a client takes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

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
    status: str | TaskStatusEnum | None,
    queue: str | None,
    task: str | None,
    dead: bool | None,
    error_type: str | None,
    reason: str | None,
    since: float | timedelta | None,
    limit: int,
    cursor: str | None,
    now: float,
) -> RecordQuery:
    """Makes a query from what ``app.list_tasks`` was given; ``since`` may count back from now."""
    if isinstance(since, timedelta):
        since = now - since.total_seconds()
    try:
        wanted = None if status is None else TaskStatusEnum(status)
    except ValueError:
        known = ", ".join(TaskStatusEnum)
        msg = f"status={status!r}; use one of {known}"
        raise TaskArgumentsError(msg) from None
    if not 1 <= limit <= 1000:  # noqa: PLR2004 - the range the docstring of RecordQuery gives
        msg = f"limit={limit!r}; use a number from 1 to 1000"
        raise TaskArgumentsError(msg)
    return RecordQuery(wanted, queue, task, dead, error_type, reason, since, limit, cursor)


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
