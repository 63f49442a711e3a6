"""Protocols and aliases shared by all rooms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

__all__ = ["Arguments", "Clock", "Colour", "Handler", "Pool"]

#: Positional and keyword arguments of one call.
Arguments: TypeAlias = tuple[tuple[Any, ...], Mapping[str, Any]]

#: What kind of function a task is.
Colour: TypeAlias = Literal["coroutine", "function", "async_generator", "generator"]

#: Where a task's function runs.
Pool: TypeAlias = Literal["loop", "thread", "process"]

#: A function or coroutine function that answers a trigger.
Handler: TypeAlias = Callable[..., Any | Awaitable[Any]]


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
