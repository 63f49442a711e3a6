"""Whether something can be a middleware of a task or an app."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from qtasks.contracts.middleware import TaskMiddleware
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_middleware", "check_middlewares"]


def check_middlewares(where: str, given: Any) -> tuple[Any, ...]:
    """Checks a list of middlewares.

    Args:
        where: the task and the option, for messages.
        given: the list; None is an empty one.

    Raises:
        RegistrationError: it is no list, or one of its items does not fit.
    """
    if given is None:
        return ()
    if not isinstance(given, list | tuple):
        msg = f"{where}: {given!r} is no list; use a list of classes, such as [Mine]"
        raise RegistrationError(msg)
    for middleware in given:
        check_middleware(where, middleware)
    return tuple(given)


def check_middleware(where: str, given: Any) -> None:
    """Checks one middleware: a class, or a partial of it with its options.

    Args:
        where: what it was given to, for messages.
        given: the middleware.

    Raises:
        RegistrationError: it does not fit.
    """
    kind = given.func if isinstance(given, partial) else given
    if isinstance(kind, TaskMiddleware):
        name = type(kind).__name__
        msg = (
            f"{where}: {given!r} is an instance, but each run makes its own; give the class"
            f" {name}, or functools.partial({name}, ...) with its options"
        )
        raise RegistrationError(msg)
    if not (isinstance(kind, type) and issubclass(kind, TaskMiddleware)):
        msg = f"{where}: {given!r} is no class that derives from qtasks.middlewares.TaskMiddleware"
        raise RegistrationError(msg)
    if missing := sorted(getattr(kind, "__abstractmethods__", ())):
        msg = f"{where}: {kind.__name__} is abstract, it lacks {', '.join(missing)}"
        raise RegistrationError(msg)
    if isinstance(given, partial) and given.args:
        msg = (
            f"{where}: {kind.__name__} gets the executor as its first argument; give its options"
            " by keyword: functools.partial(Mine, option=...)"
        )
        raise RegistrationError(msg)
    _check_calls(where, given, kind)


def _check_calls(where: str, given: Any, kind: type[TaskMiddleware]) -> None:
    options = given.keywords if isinstance(given, partial) else {}
    _check_call(where, kind, kind.__name__, "task_executor", options)
    _check_call(where, kind.__call__, f"{kind.__name__}.__call__", "self", {})


def _check_call(
    where: str, called: Any, name: str, argument: str, options: Mapping[str, Any]
) -> None:
    signature = inspect.signature(called)
    try:
        signature.bind(argument, **options)
    except TypeError as error:
        given = ", ".join([argument, *(f"{option}=..." for option in options)])
        msg = (
            f"{where}: {name}{signature} cannot be called with ({given}): {error};"
            " give other parameters a default"
        )
        raise RegistrationError(msg) from None
