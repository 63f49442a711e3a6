"""What belongs to one event loop, for a broker that serves several.

An app has more than one loop: its workers', that of the code which calls it, and that of a portal
for asynchronous plugins. Connections and tasks must not cross from one to the other.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

__all__ = ["PerLoop"]

T = TypeVar("T")

#: Closed ones that other loops have still to leave; nothing else may hold them any more.
_LEFT: Final[set[PerLoop[Any]]] = set()


class PerLoop(Generic[T]):
    """One thing for each running loop that asks for it; it ends with its loop at the latest.

    Args:
        make: makes the thing, on its loop.
        end: ends it, on its loop.
    """

    def __init__(self, make: Callable[[], T], end: Callable[[T], Awaitable[None]]) -> None:
        self._make = make
        self._end = end
        self._homes: dict[asyncio.AbstractEventLoop, tuple[T, AsyncGenerator[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def find(self) -> T | None:
        """Returns the running loop's thing if it has one, which takes no time."""
        home = self._homes.get(asyncio.get_running_loop())
        return None if home is None else home[0]

    async def here(self) -> T:
        """Returns the running loop's thing."""
        loop = asyncio.get_running_loop()
        home = self._homes.get(loop)
        if home is None:
            self._forget_closed()
            # A loop that shuts down ends the asynchronous generators that began on it, and gives
            # this one the chance to disconnect; nothing else tells of the end of a loop.
            thing = self._make()
            life = self._live(loop, thing)
            home = self._homes[loop] = thing, life
            await anext(life)
        return home[0]

    async def close(self) -> None:
        """Ends the running loop's thing; others end theirs soon, or when their loop shuts down."""
        own = self._homes.pop(asyncio.get_running_loop(), None)
        self._forget_closed()
        for loop in list(self._homes):
            _LEFT.add(self)
            if loop.is_running():
                loop.call_soon_threadsafe(self._end_on, loop)
        if own is not None:
            await own[1].aclose()

    def _end_on(self, loop: asyncio.AbstractEventLoop) -> None:
        home = self._homes.get(loop)
        if home is not None:
            self._ending.add(loop.create_task(_finish(home[1])))

    def _forget_closed(self) -> None:
        for loop in [known for known in list(self._homes) if known.is_closed()]:
            self._homes.pop(loop, None)

    async def _live(self, loop: asyncio.AbstractEventLoop, thing: T) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self._end(thing)
            self._homes.pop(loop, None)
            if not self._homes:
                _LEFT.discard(self)


async def _finish(life: AsyncGenerator[None]) -> None:
    await life.aclose()
