"""Every exception QTasks raises on purpose.

::

    Exception
    ├── QTasksError
    │   ├── ConfigError (ValueError)             a setting is wrong
    │   │   └── UnknownSchemeError               no broker or storage for this URL
    │   ├── RegistrationError (ValueError)       a task or plugin cannot be registered
    │   │   └── DuplicateTaskError               the name is taken
    │   ├── TaskArgumentsError (TypeError)       a call does not fit the task's signature
    │   ├── CodecError (ValueError)
    │   │   ├── EncodeError                      a value cannot be written as a message
    │   │   ├── DecodeError                      bytes are not a message
    │   │   └── PayloadTooLargeError             the encoded value exceeds ``max_payload``
    │   │       └── ResultTooLargeError          a task succeeded, its result was not kept
    │   ├── ServerError                          a broker or storage failed; see ``retriable``
    │   │   ├── ServerUnavailableError           it cannot be reached now (retriable)
    │   │   └── PartlyDoneError                  it failed in the midst of many dead letters
    │   ├── UnsupportedError                     this broker or storage cannot do that
    │   ├── PluginError                          a plugin's answer cannot be used
    │   │   └── PluginTimeoutError (TimeoutError) it took too long
    │   ├── UniqueConflictError                  another task holds the unique key
    │   ├── UnknownTaskError (LookupError)       no record under this id
    │   ├── WaitTimeoutError (TimeoutError)      the wait ran out; the task goes on
    │   ├── StreamBrokenError                    a stream of values cannot be read on
    │   ├── TaskFailedError                      ``result()`` of a task that ended as ``error``
    │   ├── TaskCancelledError                   ``result()`` of a task that ended as ``cancel``
    │   ├── TaskTimeoutError (TimeoutError)      a run exceeded ``max_time``
    │   └── ProcessCrashedError                  a pool process died under a task
    ├── TaskControl                              raised by tasks and plugins to steer a run
    │   ├── RetryLater                           run again after a delay, counted
    │   ├── Snooze                               run again after a delay, not counted
    │   ├── Reject                               fail for good, to the dead letters
    │   └── Discard                              drop without failing
    ├── TaskPluginTriggerError                   ask the plugins for a result
    ├── TaskCancelError (RuntimeError)           cancel from inside the task
    └── Warning
        └── QTasksDeprecationWarning (DeprecationWarning)   what will be gone is still used
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import timedelta

    from qtasks.schemas.error import TaskError

__all__ = [
    "CodecError",
    "ConfigError",
    "DecodeError",
    "Discard",
    "DuplicateTaskError",
    "EncodeError",
    "PartlyDoneError",
    "PayloadTooLargeError",
    "PluginError",
    "PluginTimeoutError",
    "ProcessCrashedError",
    "QTasksDeprecationWarning",
    "QTasksError",
    "RegistrationError",
    "Reject",
    "ResultTooLargeError",
    "RetryLater",
    "ServerError",
    "ServerUnavailableError",
    "Snooze",
    "StreamBrokenError",
    "TaskArgumentsError",
    "TaskCancelError",
    "TaskCancelledError",
    "TaskControl",
    "TaskFailedError",
    "TaskPluginTriggerError",
    "TaskTimeoutError",
    "UniqueConflictError",
    "UnknownSchemeError",
    "UnknownTaskError",
    "UnsupportedError",
    "WaitTimeoutError",
]


class QTasksError(Exception):
    """Base of what QTasks itself raises."""


class ConfigError(QTasksError, ValueError):
    """A setting has a value that cannot be used."""


class UnknownSchemeError(ConfigError):
    """No installed broker or storage serves this URL scheme."""


class RegistrationError(QTasksError, ValueError):
    """A task or a plugin cannot be registered as declared."""


class DuplicateTaskError(RegistrationError):
    """Two tasks were given the same name."""


class TaskArgumentsError(QTasksError, TypeError):
    """The arguments of a call do not fit the task's signature."""


class CodecError(QTasksError, ValueError):
    """A value and its encoded form do not fit together."""


class EncodeError(CodecError):
    """A value cannot be encoded; the message names where it stands and its type."""


class DecodeError(CodecError):
    """Bytes are not what this codec writes."""


class PayloadTooLargeError(CodecError):
    """An encoded value exceeds ``max_payload`` bytes."""


class ResultTooLargeError(PayloadTooLargeError):
    """A task succeeded, but its result exceeded ``max_payload`` and was not kept."""


class ServerError(QTasksError):
    """A broker or storage failed.

    Attributes:
        retriable: whether the same call may succeed later without a change.
        refused: ids of tasks that were to be added, and that the server certainly does not have.
    """

    retriable = False
    refused: frozenset[str] = frozenset()


class ServerUnavailableError(ServerError):
    """The server cannot be reached or is busy at the moment."""

    retriable = True


class PartlyDoneError(ServerError):
    """The server failed in the midst of what was to be done to many dead letters.

    Attributes:
        done: ids of those with which it was done before.
        retriable: whether the same call may succeed later; it does the rest.
    """

    def __init__(
        self, message: str, done: tuple[str, ...] = (), *, retriable: bool = False
    ) -> None:
        super().__init__(message)
        self.done = done
        self.retriable = retriable


class UnsupportedError(QTasksError):
    """The broker or storage in use cannot do what was asked."""


class PluginError(QTasksError):
    """A plugin answered what its trigger cannot use."""


class PluginTimeoutError(PluginError, TimeoutError):
    """A plugin took longer than ``plugin_timeout``."""


class UniqueConflictError(QTasksError):
    """A call was not added, because another task holds its unique key.

    Attributes:
        unique_key: the key.
        task_id: the task that holds it.
        conflicts: of many calls, the places of those that were not added, from 0 up, and who
            holds the key of each; all others were added.
    """

    def __init__(
        self,
        message: str,
        unique_key: str = "",
        task_id: str = "",
        conflicts: dict[int, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.unique_key = unique_key
        self.task_id = task_id
        self.conflicts = conflicts or {}


class UnknownTaskError(QTasksError, LookupError):
    """No record exists under this task id: it expired, was flushed, or never was."""


class WaitTimeoutError(QTasksError, TimeoutError):
    """The time to wait ran out; the task itself goes on.

    Attributes:
        task: the handle of the task that was waited for.
    """

    def __init__(self, message: str, task: Any = None) -> None:
        super().__init__(message)
        self.task = task


class StreamBrokenError(QTasksError):
    """The values of a task cannot be read on: it runs anew, or some of them are gone."""


class TaskFailedError(QTasksError):
    """The task ended as ``error``.

    Attributes:
        error: type, message and traceback of the failure, as data.
    """

    def __init__(self, message: str, error: TaskError | None = None) -> None:
        super().__init__(message)
        self.error = error


class TaskCancelledError(QTasksError):
    """The task ended as ``cancel``."""


class TaskTimeoutError(QTasksError, TimeoutError):
    """A run exceeded the task's ``max_time`` (seconds)."""


class ProcessCrashedError(QTasksError):
    """The pool process that ran a task's function died before it answered."""


class TaskControl(Exception):  # noqa: N818 - control flow, not an error
    """Base of the exceptions by which a task or plugin steers its own run."""


class RetryLater(TaskControl):
    """Runs the task again after a delay; the run counts as an attempt.

    A task without a retry policy may do so for ever; a policy limits it as any failure.

    Args:
        delay: seconds until the next run, or a timedelta.
        reason: a sentence for the history.
    """

    def __init__(self, delay: float | timedelta = 0.0, reason: str = "") -> None:
        super().__init__(reason or f"retry in {delay} s")
        self.delay = delay
        self.reason = reason


class Snooze(TaskControl):
    """Runs the task again after a delay; the run does not count as an attempt.

    Args:
        delay: seconds until the next run, or a timedelta.
        reason: a sentence for the history.
    """

    def __init__(self, delay: float | timedelta = 0.0, reason: str = "") -> None:
        super().__init__(reason or f"snooze for {delay} s")
        self.delay = delay
        self.reason = reason


class Reject(TaskControl):
    """Fails the task for good and puts it among the dead letters.

    Args:
        reason: a sentence that is stored with the dead letter.
    """

    def __init__(self, reason: str = "rejected") -> None:
        super().__init__(reason)
        self.reason = reason


class Discard(TaskControl):
    """Ends the task as cancelled, without an error and without a dead letter.

    Args:
        reason: a sentence that is stored with the task.
    """

    def __init__(self, reason: str = "discarded") -> None:
        super().__init__(reason)
        self.reason = reason


class TaskPluginTriggerError(Exception):
    """Asks the plugins for a result; without one the task fails with this exception.

    Args:
        *args: the reason, as with any exception.
        **kwargs: anything the plugins may want; ``message`` is shown as the reason.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args)
        self.kwargs = kwargs

    def __str__(self) -> str:
        """Returns the reason, whichever way it was given."""
        if not self.args and "message" in self.kwargs:
            return str(self.kwargs["message"])
        return super().__str__()


class TaskCancelError(RuntimeError):
    """Cancels the running task from inside; the first argument is the reason."""


class QTasksDeprecationWarning(DeprecationWarning):
    """What will be gone is still used; the message says until when, and what to use instead."""
