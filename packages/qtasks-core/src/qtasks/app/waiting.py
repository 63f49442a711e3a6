"""Waiting until tasks are over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from qtasks.app.view import TaskView, no_record, not_over
from qtasks.exc import TaskArgumentsError, UnknownTaskError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks._core.client import Client

__all__ = ["take_ended", "wait_until_ended"]

H = TypeVar("H", bound=TaskView[Any])


async def take_ended(
    client: Client, handles: dict[str, H], timeout: float | None
) -> list[H] | None:
    """Waits until some of the tasks are over; takes them out and returns their handles.

    A task without a record (any more) is taken out and left out.

    Args:
        client: the client of their app.
        handles: the tasks by id.
        timeout: seconds to wait at most; None waits as long as it takes.

    Returns:
        None if the time ran out.
    """
    ended = await client.next_ended(list(handles), timeout)
    taken = []
    for task_id, found in ended.items():
        handle = handles.pop(task_id)
        record = await client.shown(found)
        if record is not None:
            handle.record = record
            taken.append(await client.handed(handle))
    return taken if ended else None


async def wait_until_ended(
    client: Client, handles: Sequence[TaskView[Any]], timeout: float | None
) -> None:
    """Waits until all tasks are over, and has their handles say how they ended.

    Args:
        client: the client of their app.
        handles: the tasks.
        timeout: seconds to wait at most; None waits as long as it takes.

    Raises:
        TaskArgumentsError: ``timeout`` is negative.
        WaitTimeoutError: the time ran out.
        UnknownTaskError: there is no record of one of them (any more).
    """
    if timeout is not None and timeout < 0:
        msg = f"timeout={timeout!r}: use seconds from 0 up, or None"
        raise TaskArgumentsError(msg)
    ended = await client.wait([handle.id for handle in handles], timeout)
    for handle in handles:
        if handle.id not in ended:
            raise WaitTimeoutError(not_over(handle, timeout), handle)
        record = await client.shown(ended[handle.id])
        if record is None:
            raise UnknownTaskError(no_record(handle.id))
        handle.record = record
        handed = await client.handed(handle)
        if handed is not handle and isinstance(handed, TaskView):
            handle.record = handed.record
