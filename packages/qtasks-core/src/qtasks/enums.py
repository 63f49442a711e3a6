"""The statuses of a task."""

from qtasks.schemas.status import TaskStatusEnum

__all__ = ["TaskStatusEnum"]


def __dir__() -> list[str]:
    return __all__
