"""``INJECTED``: the default of parameters that are filled in where the task runs."""

from __future__ import annotations

import functools
import inspect
from math import inf
from typing import TYPE_CHECKING, Any, Final

from qtasks.exc import TaskArgumentsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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


def refuse_uninjected(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Returns a function that refuses to run while a parameter is still :data:`INJECTED`.

    A function without such parameters is returned as it is, so it pays nothing.

    Args:
        function: the function of a task.
        name: the name of the task, for the message.
    """
    places = _places(inspect.signature(function))
    if not places:
        return function

    def check(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        missing = [word for word, place in places.items() if _missing(word, place, args, kwargs)]
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


def _places(signature: inspect.Signature) -> dict[str, float]:
    """Returns the injected parameters, and how many positional arguments leave each one out."""
    keyword_only = inspect.Parameter.KEYWORD_ONLY
    return {
        name: inf if parameter.kind is keyword_only else index
        for index, (name, parameter) in enumerate(signature.parameters.items())
        if parameter.default is INJECTED
    }


def _missing(name: str, place: float, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    if place < len(args):
        return args[int(place)] is INJECTED
    return kwargs.get(name, INJECTED) is INJECTED
