"""Waiting until tasks are over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.app.view import no_record, not_over
from qtasks.exc import TaskArgumentsError, UnknownTaskError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks._core.client import Client
    from qtasks.app.view import TaskView

__all__ = ["wait_until_ended"]


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
        record = ended[handle.id]
        if record is None:
            raise UnknownTaskError(no_record(handle.id))
        handle.record = record
        await client.filter_get(handle)
