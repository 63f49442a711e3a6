"""Routers: tasks that are declared in one module, and taken by apps in another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from qtasks.app.awaitable_declaring import AwaitableDeclaring
from qtasks.app.blocking_declaring import BlockingDeclaring
from qtasks.app.groups import Declaration
from qtasks.app.routing import BaseRouter
from qtasks.app.unbound import UnboundAsyncTask, UnboundSyncTask
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Self

    from qtasks.app.awaitable_task import AsyncTask
    from qtasks.app.blocking_task import SyncTask
    from qtasks.app.unbound import SharedTaskDecorator

__all__ = ["AsyncRouter", "Router", "SyncRouter"]

P = ParamSpec("P")
R = TypeVar("R")


class SyncRouter(BlockingDeclaring, BaseRouter):
    """A router whose tasks are added from synchronous code, whichever app takes them."""

    def _make_task(self, function: Any, name: str | None, options: Mapping[str, Any]) -> Any:
        declaration = Declaration(function, name, options)
        self._group.add(declaration)
        return UnboundSyncTask(declaration)


class AsyncRouter(AwaitableDeclaring, BaseRouter):
    """A router whose tasks are added from asynchronous code, whichever app takes them."""

    def _make_task(self, function: Any, name: str | None, options: Mapping[str, Any]) -> Any:
        declaration = Declaration(function, name, options)
        self._group.add(declaration)
        return UnboundAsyncTask(declaration)


class Router(BaseRouter):
    """A router whose tasks are added in the colour of their functions, or in the one it is told.

    Args:
        method: ``sync`` or ``async`` returns a :class:`SyncRouter` or an :class:`AsyncRouter`;
            None has coroutine functions added from asynchronous code, and others from synchronous.

    Raises:
        RegistrationError: there is no such method.
    """

    @overload
    def __new__(cls, method: None = None) -> Self: ...
    @overload
    def __new__(cls, method: Literal["sync"]) -> SyncRouter: ...  # type: ignore[misc]  # the users' documents spell both this way
    @overload
    def __new__(cls, method: Literal["async"]) -> AsyncRouter: ...  # type: ignore[misc]  # as above
    def __new__(cls, method: Any = None) -> Any:
        """Makes a router of the method."""
        if method is None:
            return super().__new__(cls)
        if method not in ("sync", "async"):
            msg = f"Router(method={method!r}): use 'sync', 'async', or None for that of each task"
            raise RegistrationError(msg)
        return SyncRouter() if method == "sync" else AsyncRouter()

    def __init__(self, method: None = None) -> None:  # noqa: ARG002 - see __new__
        super().__init__()

    @overload
    def task(  # type: ignore[overload-overlap]  # a coroutine function is the narrower case
        self, name: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R, Coroutine[Any, Any, R]]: ...
    @overload
    def task(self, name: Callable[P, R], /) -> SyncTask[P, R, R]: ...
    @overload
    def task(self, name: str | None = None, **options: Any) -> SharedTaskDecorator: ...
    def task(self, name: Any = None, **options: Any) -> Any:
        """Declares a function as a task; with or without parentheses.

        Args:
            name: its name; by default the function's.
            **options: as for ``app.task``.

        Raises:
            RegistrationError: name or options do not fit, here or in an app that has the router.
        """
        if callable(name):
            return self._make_task(name, None, options)
        return lambda function: self._make_task(function, name, options)

    def _make_task(self, function: Any, name: str | None, options: Mapping[str, Any]) -> Any:
        declaration = Declaration(function, name, options)
        self._group.add(declaration)
        return declaration_task(declaration)


def declaration_task(declaration: Declaration) -> UnboundSyncTask | UnboundAsyncTask:
    """Returns the task object in the colour of the function."""
    if declaration.definition.is_async:
        return UnboundAsyncTask(declaration)
    return UnboundSyncTask(declaration)
