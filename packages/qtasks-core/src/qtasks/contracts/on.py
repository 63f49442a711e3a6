"""Marks on the methods of a plugin: which trigger each answers, and when it is asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeAlias, TypeVar

import msgspec

from qtasks.exc import RegistrationError

__all__ = ["Mark", "Order", "as_names", "check_order", "choose", "find_marks", "on"]

F = TypeVar("F", bound=Callable[..., Any])

#: Before or after all that say nothing.
Order: TypeAlias = Literal["first", "last"]

_MARKS: Final = "__qtasks_marks__"


class Mark(msgspec.Struct, frozen=True):
    """What :func:`on` says of a method.

    Attributes:
        trigger: the trigger that the method answers.
        order: whether it is asked first or last; None for the order of registration.
        before: names of plugins that are asked later.
        after: names of plugins that are asked earlier.
        optional: whether the trigger may be unknown, because the plugin that brings it is absent.
        blocking: whether the method runs in a thread.
    """

    trigger: str
    order: Order | None = None
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    optional: bool = False
    blocking: bool = False


def on(
    trigger: str,
    *,
    order: Order | None = None,
    before: str | Iterable[str] = (),
    after: str | Iterable[str] = (),
    optional: bool = False,
    blocking: bool = False,
) -> Callable[[F], F]:
    """Marks a method of a :class:`~qtasks.plugins.Plugin` as the answer to a trigger.

    The method takes any of the trigger's arguments by name, or all of them as ``**kwargs``. It
    may be ``def`` or ``async def``. Several marks make it answer several triggers::

        class Audit(Plugin):
            @on("worker_outcome")
            def settled(self, task_broker, outcome):
                print(task_broker.message.task, outcome)

    Args:
        trigger: the trigger's name.
        order: ``"first"`` or ``"last"``; None for the order of registration.
        before: plugins, by name, that are to be asked later.
        after: plugins, by name, that are to be asked earlier.
        optional: the trigger belongs to a plugin that may be absent; the method is not used then.
        blocking: the method, a plain function, runs in a thread, so it may wait.

    Raises:
        RegistrationError: it is not given a name, or ``order`` is neither.
    """
    if callable(trigger):
        msg = f"@on without a trigger: write @on('worker_start'), not @on over {trigger!r}"
        raise RegistrationError(msg)
    check_order(f"@on({trigger!r})", order)
    mark = Mark(trigger, order, as_names(before), as_names(after), optional, blocking)

    def add(method: F) -> F:
        setattr(method, _MARKS, (*getattr(method, _MARKS, ()), mark))
        return method

    return add


def as_names(names: str | Iterable[str]) -> tuple[str, ...]:
    """Returns names of plugins; one may stand for itself."""
    return (names,) if isinstance(names, str) else tuple(names)


def check_order(where: str, order: object) -> None:
    """Checks an ``order=``.

    Raises:
        RegistrationError: it is neither ``"first"`` nor ``"last"`` nor None.
    """
    if order not in (None, "first", "last"):
        msg = f"{where}: order={order!r} is unknown: use 'first', 'last' or None"
        raise RegistrationError(msg)


def find_marks(kind: type) -> dict[str, tuple[Mark, ...]]:
    """Returns the marks of a class by the names of its methods.

    A method that overrides a marked one keeps the marks, unless it has its own; one that is
    replaced by None has none.
    """
    found: dict[str, tuple[Mark, ...]] = {}
    for base in reversed(kind.__mro__):
        for name, value in vars(base).items():
            # The mark may stand above @staticmethod, or below it.
            marks = getattr(value, _MARKS, None) or getattr(
                getattr(value, "__func__", None), _MARKS, None
            )
            if value is None:
                found.pop(name, None)
            elif isinstance(marks, tuple):
                found[name] = marks
    return found


def choose(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns those of the arguments that a function takes."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return arguments
    taken = {one.name for one in parameters if one.kind is not one.VAR_POSITIONAL}
    return {name: value for name, value in arguments.items() if name in taken}
