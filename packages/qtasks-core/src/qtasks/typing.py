"""Protocols and aliases shared by all rooms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

__all__ = ["Arguments", "Clock", "Colour", "Handler", "Pool", "ValueTypes"]

#: Positional and keyword arguments of one call.
Arguments: TypeAlias = tuple[tuple[Any, ...], Mapping[str, Any]]

#: What kind of function a task is.
Colour: TypeAlias = Literal["coroutine", "function", "async_generator", "generator"]

#: Where a task's function runs.
Pool: TypeAlias = Literal["loop", "thread", "process"]

#: A function or coroutine function that answers a trigger.
Handler: TypeAlias = Callable[..., Any | Awaitable[Any]]


class ValueTypes(Protocol):
    """What the annotations of a task mean for its values; a step that is not needed is None.

    Attributes:
        assemble: makes whole models of the fields in a call.
        admit: checks the arguments of a call before it is queued.
        load: checks arguments that have arrived, and returns them as annotated.
        returned: returns what the function has returned in another process as annotated.
        yielded: likewise what it has yielded.
        result: returns a stored result as annotated.
        value: returns a stored value that was yielded as annotated.
    """

    assemble: Callable[[tuple[Any, ...], Mapping[str, Any]], Arguments] | None
    admit: Callable[[tuple[Any, ...], Mapping[str, Any]], None] | None
    load: Callable[[tuple[Any, ...], Mapping[str, Any]], Arguments] | None
    returned: Callable[[Any], Any] | None
    yielded: Callable[[Any], Any] | None
    result: Callable[[Any], Any] | None
    value: Callable[[Any], Any] | None

    def from_json(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        """Returns arguments that were JSON, with what JSON writes as text made of it."""
        ...

    @property
    def unchecked(self) -> Mapping[str, str]:
        """Parameters whose values nothing can be said about, and why."""
        ...

    @property
    def unresolved(self) -> Mapping[str, str]:
        """Parameters whose annotations cannot be resolved, and why."""
        ...


@runtime_checkable
class Clock(Protocol):
    """Tells the time and waits; the only source of time in the engine and the adapters."""

    def time(self) -> float:
        """Returns seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Returns seconds that never go backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Suspends the calling coroutine for ``seconds``."""
        ...
