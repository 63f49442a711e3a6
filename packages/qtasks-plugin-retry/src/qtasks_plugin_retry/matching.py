"""Which exceptions a policy retries: by class, the most specific one deciding."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, TypeAlias

from qtasks.exc import TaskFailedError
from qtasks.schemas import TaskError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Match", "class_of", "match", "type_name"]

#: Whether a policy retries an exception, refuses to, or says nothing about it.
Match: TypeAlias = Literal["retried", "refused", "unmatched"]
Classes: TypeAlias = tuple[type[BaseException], ...]

_BROAD = (BaseException, Exception, object)


def match(error: BaseException, retried: Classes, refused: Classes) -> Match:
    """Tells what a policy says about an exception.

    Of the classes of the exception, from its own to the most general, the first that is listed
    decides; where one is in both lists it is refused. In a group the exceptions within decide:
    one that is refused refuses all, and all must be retried.

    Args:
        error: the exception.
        retried: the classes that are retried.
        refused: those that are not.
    """
    if isinstance(error, BaseExceptionGroup):
        own = _by_class(type(error), retried, refused, but=_BROAD)
        return own if own != "unmatched" else _by_leaves(error, retried, refused)
    return _by_class(class_of(error), retried, refused)


def class_of(error: BaseException) -> type:
    """Returns the class of an exception, also of one that came from a pool process as data.

    Nothing is imported for it: where the class is not known here, it counts as ``Exception``.
    """
    described = _described(error)
    if described is None:
        return type(error)
    module, _, name = described.type.rpartition(".")
    while module:
        found: object = sys.modules.get(module)
        if found is not None:
            for part in name.split("."):
                found = getattr(found, part, None)
            is_class = isinstance(found, type) and issubclass(found, BaseException)
            return found if is_class else Exception  # type: ignore[return-value]  # mypy loses the class
        module, _, outer = module.rpartition(".")
        name = f"{outer}.{name}"
    return Exception


def type_name(error: BaseException) -> str:
    """Returns the name of an exception's class, with its module."""
    described = _described(error)
    if described is not None:
        return described.type
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _described(error: BaseException) -> TaskError | None:
    """Returns the data of an exception from a pool process; None for one of this process."""
    found = getattr(error, "error", None)
    if isinstance(found, TaskError) and not isinstance(error, TaskFailedError):
        return found
    return None


def _by_class(kind: type, retried: Classes, refused: Classes, but: tuple[type, ...] = ()) -> Match:
    for each in kind.__mro__:
        if each in but:
            continue
        if each in refused:
            return "refused"
        if each in retried:
            return "retried"
    if but:
        return "unmatched"
    # Abstract classes with registered subclasses are in no one's list of bases.
    if issubclass(kind, refused):
        return "refused"
    return "retried" if issubclass(kind, retried) else "unmatched"


def _by_leaves(
    group: BaseExceptionGroup[BaseException], retried: Classes, refused: Classes
) -> Match:
    found = {match(leaf, retried, refused) for leaf in _leaves(group)}
    if "refused" in found:
        return "refused"
    return "unmatched" if "unmatched" in found else "retried"


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """Yields the exceptions of a group and of the groups in it."""
    waiting = [*group.exceptions]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseExceptionGroup):
            waiting += error.exceptions
        else:
            yield error
