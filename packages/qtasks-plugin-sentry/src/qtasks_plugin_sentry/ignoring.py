"""Which failures are nobody's concern."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from qtasks.schemas import TaskError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["KEYWORD", "check_ignored", "is_ignored", "type_of"]

#: The keyword of ``@app.task``.
KEYWORD: Final = "no_report"


def check_ignored(name: str, given: Any) -> tuple[type[BaseException] | str, ...]:
    """Returns what is not to be reported.

    Args:
        name: how the caller calls it, for the message.
        given: exception classes or their names, several or one.

    Raises:
        TypeError: it is something else.
    """
    if given is None:
        return ()
    several = given if isinstance(given, tuple | list | set | frozenset) else (given,)
    for one in several:
        if (isinstance(one, str) and one) or (
            isinstance(one, type) and issubclass(one, BaseException)
        ):
            continue
        msg = f"{name}={given!r}: use exception classes, or their names such as 'shop.OutOfStock'"
        raise TypeError(msg)
    return tuple(several)


def type_of(error: BaseException | TaskError) -> str:
    """Returns the qualified name of the class of an exception, also of one in another process.

    Args:
        error: the exception, or what is known of it.
    """
    if isinstance(error, TaskError):
        return error.type
    remote = getattr(error, "error", None)
    if isinstance(remote, TaskError):
        return remote.type
    return f"{type(error).__module__}.{type(error).__qualname__}"


def is_ignored(
    error: BaseException | TaskError,
    ignored: Iterable[type[BaseException] | str],
    extra: Mapping[str, Any],
) -> bool:
    """Tells whether an exception is not to be reported.

    Args:
        error: the exception, or what is known of it.
        ignored: what the app ignores.
        extra: the options of the task.
    """
    every = (*ignored, *check_ignored(KEYWORD, extra.get(KEYWORD)))
    if not every:
        return False
    name = type_of(error)
    kind = _class_of(error, name)
    names = {name, name.rpartition(".")[2]}
    if kind is not None:
        for base in kind.__mro__:
            names |= {f"{base.__module__}.{base.__qualname__}", base.__qualname__}
    for one in every:
        if isinstance(one, str):
            if one in names:
                return True
        elif f"{one.__module__}.{one.__qualname__}" in names:
            return True
    return False


def _class_of(error: BaseException | TaskError, name: str) -> type | None:
    """Returns the class of an exception; None if it is one that this process has not loaded."""
    if isinstance(error, BaseException) and not isinstance(
        getattr(error, "error", None), TaskError
    ):
        return type(error)
    module, _, path = name.rpartition(".")
    found: Any = sys.modules.get(module)
    found = getattr(found, path, None)
    return found if isinstance(found, type) else None
