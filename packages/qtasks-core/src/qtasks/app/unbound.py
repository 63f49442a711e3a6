"""The task objects of functions that are declared without an app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, overload

from qtasks.app.awaitable_task import AsyncTask
from qtasks.app.blocking_task import SyncTask
from qtasks.app.twins import awaitable_view, blocking_view

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from qtasks.app import awaitable, blocking
    from qtasks.app.base import BaseQueueTasks
    from qtasks.app.groups import Declaration
    from qtasks.schemas import TaskDefinition

__all__ = ["SharedTaskDecorator", "UnboundAsyncTask", "UnboundSyncTask"]

P = ParamSpec("P")
R = TypeVar("R")


class UnboundSyncTask(SyncTask[..., Any, Any]):
    """A task for synchronous code whose app is looked for at each call.

    Args:
        declaration: the function.
    """

    def __init__(self, declaration: Declaration) -> None:
        super().__init__(declaration.definition, None)
        self._declaration = declaration

    @property
    def _app(self) -> blocking.QueueTasks:
        return blocking_view(self._declaration.home())

    def _within(self, app: BaseQueueTasks | None = None) -> TaskDefinition:
        return self._declaration.within(app)


class UnboundAsyncTask(AsyncTask[..., Any, Any]):
    """A task for asynchronous code whose app is looked for at each call.

    Args:
        declaration: the function.
    """

    def __init__(self, declaration: Declaration) -> None:
        super().__init__(declaration.definition, None)
        self._declaration = declaration

    @property
    def _app(self) -> awaitable.QueueTasks:
        return awaitable_view(self._declaration.home())

    def _within(self, app: BaseQueueTasks | None = None) -> TaskDefinition:
        return self._declaration.within(app)


class SharedTaskDecorator(Protocol):
    """Turns a function into a task that is added in the colour of the function."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a coroutine function is the narrower case
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> SyncTask[P, R, R]: ...
