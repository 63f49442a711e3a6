"""Reading what a task gives while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.app.view import no_record, not_over
from qtasks.contracts.codec import decode
from qtasks.exc import StreamBrokenError, TaskArgumentsError, UnknownTaskError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks._core.client import Client
    from qtasks.app.view import TaskView
    from qtasks.schemas import Streamed

__all__ = ["Cursor"]


class Cursor:
    """How far a reader is in the values of a task.

    Args:
        handle: the task.
        timeout: seconds to wait for the next value at most; None waits as long as it takes.
        restart: whether the values of a new run are read from their beginning.

    Raises:
        TaskArgumentsError: ``timeout`` is negative.
    """

    def __init__(self, handle: TaskView[Any], timeout: float | None, *, restart: bool) -> None:
        if timeout is not None and timeout < 0:
            msg = f"timeout={timeout!r}: use seconds from 0 up, or None"
            raise TaskArgumentsError(msg)
        self._handle = handle
        self._timeout = timeout
        self._restart = restart
        self._token = 0
        self._seen = 0
        self._over = False

    async def next(self, client: Client) -> Sequence[Any] | None:
        """Waits for values and returns them; None after the end of a task that succeeded.

        Raises:
            WaitTimeoutError: the time ran out; the task goes on.
            StreamBrokenError: the task runs anew, or values are gone.
            TaskFailedError: the task failed, after the values that were returned.
            TaskCancelledError: it was cancelled.
            UnknownTaskError: there is no record of the task, and nothing that it gave.
        """
        if self._over:
            return None
        found = await client.stream(self._handle.id, self._token, self._seen, self._timeout)
        if found.values:
            return self._accept(found)
        if found.ended:
            self._follow(found)
            return await self._end(client)
        raise WaitTimeoutError(not_over(self._handle, self._timeout), self._handle)

    def _follow(self, found: Streamed) -> None:
        """Notices that another run gives the values, which may be none."""
        if found.token != self._token:
            if self._seen and not self._restart:
                msg = (
                    f"{self._handle.task_name} {self._handle.id} runs anew after {self._seen}"
                    " values: read them from the beginning, or use stream(restart=True)"
                )
                raise StreamBrokenError(msg)
            self._token, self._seen = found.token, 0

    def _accept(self, found: Streamed) -> list[Any]:
        self._follow(found)
        if found.first > self._seen:
            msg = (
                f"values {self._seen} to {found.first - 1} of {self._handle.task_name}"
                f" {self._handle.id} are not there any more"
            )
            raise StreamBrokenError(msg)
        self._seen += len(found.values)
        values = [decode(value) for value in found.values]
        types = self._handle._types  # noqa: SLF001 - one concept in two modules
        if types is None or types.value is None:
            return values
        return [types.value(value) for value in values]

    async def _end(self, client: Client) -> Sequence[Any] | None:
        self._over = True
        (record,) = await client.get([self._handle.id])
        if record is None:
            if not self._token:
                raise UnknownTaskError(no_record(self._handle.id))
            return None  # its result is not stored, or not any more
        self._handle.record = record
        result = self._handle._value()  # noqa: SLF001 - it raises what stands for the end
        return result if isinstance(result, list) and not self._token else None
