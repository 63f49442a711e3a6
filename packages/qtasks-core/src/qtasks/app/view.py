"""What a caller sees of a task: the same properties in both colours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from uuid import UUID

import msgspec

from qtasks._core.decisions.history import read
from qtasks.contracts.codec import UNREADABLE, Unkept, decode, decode_arguments
from qtasks.exc import ResultTooLargeError, TaskCancelledError, TaskFailedError
from qtasks.schemas import TERMINAL, HistoryEntry, Progress, Record, TaskError, TaskStatusEnum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.app.base import BaseQueueTasks
    from qtasks.typing import ValueTypes

__all__ = ["TaskView", "no_record", "not_over", "types_of"]

R_co = TypeVar("R_co", covariant=True)

_decode_progress: Final = msgspec.msgpack.Decoder(Progress).decode


class TaskView(Generic[R_co]):
    """The state of a task as of the last look.

    Args:
        record: what the storage said.
    """

    def __init__(self, record: Record) -> None:
        self.record = record

    @property
    def id(self) -> str:
        """The task's uuid as text."""
        return self.record.id

    @property
    def uuid(self) -> UUID:
        """The task's uuid."""
        return UUID(self.record.id)

    @property
    def task_name(self) -> str:
        """The registered name of the task."""
        return self.record.task

    @property
    def status(self) -> TaskStatusEnum:
        """Where it stood at the last look."""
        return self.record.status

    @property
    def finished(self) -> bool:
        """Whether it was over at the last look."""
        return self.record.status in TERMINAL

    @property
    def returning(self) -> R_co | None:
        """What the task returned, as annotated; None if it has not, or not yet.

        Raises:
            ResultTooLargeError: it returned more than ``max_payload`` bytes, which were not kept.
        """
        data = self.record.result
        if data is None:
            return None
        value: Any = decode(data)
        if type(value) is Unkept:
            raise ResultTooLargeError(value.why)
        types = self._types
        if types is not None and types.result is not None:
            value = types.result(value)
        returned: R_co = value
        return returned

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments of the call."""
        return tuple(decode_arguments(self.record.payload)[0])

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments of the call."""
        return decode_arguments(self.record.payload)[1]

    @property
    def queue(self) -> str:
        """The queue it waits or waited in."""
        return self.record.queue

    @property
    def priority(self) -> int:
        """−128…127, lower runs earlier."""
        return self.record.priority

    @property
    def headers(self) -> Mapping[str, str]:
        """The text values that travel with it."""
        return self.record.headers

    @property
    def created_at(self) -> datetime:
        """When it was accepted."""
        return datetime.fromtimestamp(self.record.created_at, UTC)

    @property
    def started_at(self) -> datetime | None:
        """When it was last handed to a worker."""
        return _moment(self.record.started_at)

    @property
    def finished_at(self) -> datetime | None:
        """When it was over."""
        return _moment(self.record.finished_at)

    @property
    def error(self) -> TaskError | None:
        """The last failure, as data."""
        return self.record.error

    @property
    def traceback(self) -> str | None:
        """The traceback of the last failure."""
        return self.record.error.traceback if self.record.error else None

    @property
    def reason(self) -> str:
        """Why it was failed or cancelled; empty otherwise."""
        return self.record.reason

    @property
    def attempts(self) -> int:
        """How many counted attempts failed."""
        return self.record.attempts

    @property
    def progress(self) -> Progress | None:
        """How far the task said it was; None if it said nothing, or nothing that can be read."""
        data = self.record.progress
        if data is None:
            return None
        try:
            return _decode_progress(data)
        except UNREADABLE:
            return None

    @property
    def history(self) -> list[HistoryEntry]:
        """What happened before, oldest first; a task that succeeded at once has none."""
        return read(self.record.history)

    def __repr__(self) -> str:
        """Shows name, id and status."""
        return f"<{type(self).__name__} {self.task_name} {self.id} {self.status}>"

    @property
    def _types(self) -> ValueTypes | None:
        """What the annotations of the task mean, where it is known."""
        return None

    def _value(self) -> Any:
        """Returns the result of a task that is over, or raises what stands for its end."""
        if self.status is TaskStatusEnum.SUCCESS:
            return self.returning
        if self.status is TaskStatusEnum.CANCEL:
            msg = f"{self.task_name} {self.id} was cancelled: {self.reason or 'no reason given'}"
            raise TaskCancelledError(msg)
        error = self.error
        what = f"{error.type}: {error.message}" if error else "no error was stored"
        msg = f"{self.task_name} {self.id} failed ({self.reason}): {what}"
        raise TaskFailedError(msg, error)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def not_over(task: TaskView[Any], timeout: float | None) -> str:
    """Says that a wait ran out."""
    return f"{task.task_name} {task.id} was not over after {timeout or 0:g} s; it goes on"


def no_record(task_id: str) -> str:
    """Says that a task cannot be found, and why that may be."""
    return (
        f"no record of task {task_id}: its result_ttl has passed, the task has"
        " store_result=False, or it never was"
    )


def types_of(app: BaseQueueTasks, task_name: str) -> ValueTypes | None:
    """Returns what the annotations of a task mean; None if the app does not know it."""
    task = app.tasks.get(task_name)
    return None if task is None else task.types
