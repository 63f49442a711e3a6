"""``INJECTED``: the default of parameters that are filled in where the task runs."""

from __future__ import annotations

import functools
import inspect
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qtasks.exc import TaskArgumentsError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

__all__ = ["INJECTED", "check_injected", "refuse_uninjected"]

_CHECK: Final = "__qtasks_check__"


class _Injected:
    """The type of :data:`INJECTED`, of which there is one value."""

    def __repr__(self) -> str:
        return "INJECTED"

    def __reduce__(self) -> str:
        """Copies and other processes get the same value."""
        return "INJECTED"


#: Stands as the default of a parameter that a plugin fills in: callers leave it out, and type
#: checkers take it for a value of any type.
INJECTED: Final[Any] = _Injected()


def refuse_uninjected(
    function: Callable[..., Any], name: str, filled: Collection[str] = ()
) -> Callable[..., Any]:
    """Returns a function that refuses to run while a parameter is still :data:`INJECTED`.

    So does it while one that a plugin fills in has its default, which says how to fill it in.

    A function without such parameters is returned as it is, so it pays nothing.

    Args:
        function: the function of a task.
        name: the name of the task, for the message.
        filled: the parameters that plugins fill in.
    """
    places = _places(inspect.signature(function), filled)
    if not places:
        return function

    def check(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        missing = [each.name for each in places if each.is_missing(args, kwargs)]
        if missing:
            words = ", ".join(missing)
            msg = (
                f"{name}: nothing injected {words}: add the plugin that does, or, where you call"
                f" the function yourself, pass {missing[0]}=..."
            )
            raise TaskArgumentsError(msg)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def checked_coroutine(*args: Any, **kwargs: Any) -> Any:
            check(args, kwargs)
            return await function(*args, **kwargs)

        setattr(checked_coroutine, _CHECK, check)
        return checked_coroutine

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        check(args, kwargs)
        return function(*args, **kwargs)

    setattr(checked, _CHECK, check)
    return checked


def check_injected(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    """Does what the function of a task does first, for a call of it that is made elsewhere.

    Raises:
        TaskArgumentsError: a parameter is still :data:`INJECTED`.
    """
    check = getattr(function, _CHECK, None)
    if check is not None:
        check(args, kwargs)


class _Place(NamedTuple):
    """A parameter that somebody has to fill in.

    Attributes:
        name: its name.
        position: how many positional arguments leave it out.
        default: what it has until then.
    """

    name: str
    position: float
    default: Any

    def is_missing(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Tells whether nobody has filled it in."""
        if self.position < len(args):
            return args[int(self.position)] is self.default
        return kwargs.get(self.name, self.default) is self.default


def _places(signature: inspect.Signature, filled: Collection[str]) -> list[_Place]:
    keyword_only, empty = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty
    return [
        _Place(name, inf if parameter.kind is keyword_only else index, parameter.default)
        for index, (name, parameter) in enumerate(signature.parameters.items())
        if parameter.default is INJECTED or (name in filled and parameter.default is not empty)
    ]
