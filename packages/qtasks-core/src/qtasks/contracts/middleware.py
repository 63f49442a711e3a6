"""Middlewares: code around the run of a task, inside its executor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from qtasks.contracts.executor import BaseTaskExecutor

__all__ = ["TaskMiddleware"]


class TaskMiddleware(ABC):
    """Called with the executor before or after the function runs.

    Args:
        task_executor: the executor of the run.
    """

    def __init__(self, task_executor: BaseTaskExecutor) -> None:
        self.task_executor = task_executor

    @abstractmethod
    def __call__(self, *args: Any, **kwargs: Any) -> Any | Awaitable[Any]:
        """Does the work; may be ``def`` or ``async def``.

        An executor it returns takes the place of the one it was given.
        """
