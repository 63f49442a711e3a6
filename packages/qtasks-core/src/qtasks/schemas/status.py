"""The states a task can be in."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["TERMINAL", "TaskStatusEnum"]


class TaskStatusEnum(StrEnum):
    """The status stored with a task.

    ``new``, ``process`` and ``retry`` lead on; the other three are final.
    """

    NEW = "new"
    PROCESS = "process"
    RETRY = "retry"
    SUCCESS = "success"
    ERROR = "error"
    CANCEL = "cancel"


#: The statuses that never change again, except by a requeue from the dead letters.
TERMINAL = frozenset({TaskStatusEnum.SUCCESS, TaskStatusEnum.ERROR, TaskStatusEnum.CANCEL})
