"""The states a task can be in."""

from __future__ import annotations

from enum import Enum

__all__ = ["TERMINAL", "TaskStatusEnum"]


class TaskStatusEnum(str, Enum):
    """The status stored with a task.

    ``new``, ``process`` and ``retry`` lead on; the other three are final.
    """

    NEW = "new"
    PROCESS = "process"
    RETRY = "retry"
    SUCCESS = "success"
    ERROR = "error"
    CANCEL = "cancel"

    def __str__(self) -> str:
        """Returns the bare word, as it is stored and printed."""
        return self.value


#: The statuses that never change again, except by a requeue from the dead letters.
TERMINAL = frozenset({TaskStatusEnum.SUCCESS, TaskStatusEnum.ERROR, TaskStatusEnum.CANCEL})
