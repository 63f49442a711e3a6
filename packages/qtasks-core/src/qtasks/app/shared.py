"""Tasks that every app has, whether it is made before or after them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from qtasks.app.groups import SHARED, Declaration
from qtasks.app.unbound import UnboundAsyncTask, UnboundSyncTask
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from qtasks.app.awaitable_task import AsyncTask, AsyncTaskDecorator
    from qtasks.app.blocking_task import SyncTask, SyncTaskDecorator
    from qtasks.app.unbound import SharedTaskDecorator

__all__ = ["shared_task"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def shared_task(  # type: ignore[overload-overlap]  # a coroutine function is the narrower case
    name: Callable[P, Coroutine[Any, Any, R]], /
) -> AsyncTask[P, R, Coroutine[Any, Any, R]]: ...
@overload
def shared_task(name: Callable[P, R], /) -> SyncTask[P, R, R]: ...
@overload
def shared_task(
    name: str | None = None, *, awaiting: Literal[True], **options: Any
) -> AsyncTaskDecorator: ...
@overload
def shared_task(
    name: str | None = None, *, awaiting: Literal[False], **options: Any
) -> SyncTaskDecorator: ...
@overload
def shared_task(
    name: str | None = None, *, awaiting: None = None, **options: Any
) -> SharedTaskDecorator: ...
def shared_task(name: Any = None, *, awaiting: Any = None, **options: Any) -> Any:
    """Declares a function as a task of every app of the process; with or without parentheses.

    Calls of the task go to the app that runs the calling task, or to the only app there is.

    Args:
        name: its name; by default the function's.
        awaiting: True for a task that is added from asynchronous code, False from synchronous;
            None for the colour of the function.
        **options: as for ``app.task``.

    Raises:
        RegistrationError: name or options do not fit, here or in an app that exists.
        DuplicateTaskError: another task has the name.
    """
    if awaiting not in (None, True, False):
        msg = f"shared_task(awaiting={awaiting!r}): use True, False, or None"
        raise RegistrationError(msg)

    def make(function: Any, name: str | None) -> UnboundSyncTask | UnboundAsyncTask:
        declaration = Declaration(function, name, options)
        SHARED.add(declaration)
        awaits = declaration.definition.is_async if awaiting is None else awaiting
        return UnboundAsyncTask(declaration) if awaits else UnboundSyncTask(declaration)

    if callable(name):
        return make(name, None)
    return lambda function: make(function, name)
