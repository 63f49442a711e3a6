"""Objects that stand in front of another one and change only some of what goes through."""

from __future__ import annotations

import functools
import inspect
from abc import update_abstractmethods
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FORWARDED", "forwards"]

C = TypeVar("C", bound=type)

#: The names of the methods that each class passes on as they are, by the class's name.
FORWARDED: dict[str, frozenset[str]] = {}


def forwards(contract: type) -> Callable[[C], C]:
    """Has a class pass on to ``self.inner`` whatever of a contract it does not define itself.

    Contracts grow, also by methods that have a default; whoever stands in front must not answer
    with that default in place of the one behind.

    Args:
        contract: the class whose public methods these are.
    """

    def decorate(cls: C) -> C:
        names = {
            name
            for name, member in vars(contract).items()
            if inspect.isfunction(member) and not name.startswith("_") and name not in vars(cls)
        }
        for name in names:
            setattr(cls, name, _forward(getattr(contract, name)))
        FORWARDED[cls.__name__] = frozenset(names)
        update_abstractmethods(cls)
        return cls

    return decorate


def _forward(method: Callable[..., Any]) -> Callable[..., Any]:
    name = method.__name__

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.inner, name)(*args, **kwargs)

    # What is passed on is no gap, though the contract's method is one.
    call.__isabstractmethod__ = False  # type: ignore[attr-defined]  # read by abc alone
    return call
