"""Triggers that fire beside the work, on its loop: nobody waits for them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["Beside"]


class Beside:
    """Runs coroutines on the loop that made it, from any thread, one after another."""

    def __init__(self) -> None:
        self._error: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._last: asyncio.Task[None] | None = None
        self._apart: set[asyncio.Task[None]] = set()

    def tell(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Has a coroutine run soon; may be called from any thread.

        Args:
            make: returns it.
        """
        with contextlib.suppress(RuntimeError):  # the loop was closed; nobody listens any more
            self._loop.call_soon_threadsafe(self._begin, make)

    def at_once(self, telling: Coroutine[Any, Any, None]) -> None:
        """Has a coroutine run without waiting for what was told before; only on the loop."""
        task = self._loop.create_task(self._guarded(telling))
        self._apart.add(task)
        task.add_done_callback(self._apart.discard)

    async def told(self) -> Exception | None:
        """Waits until all is told.

        Returns:
            The first failure of a plugin whose failures are to be raised, or None.
        """
        await asyncio.sleep(0)  # what other threads said is on its way
        while waiting := self._waiting():
            await asyncio.wait(waiting)
        return self._error

    def _waiting(self) -> list[asyncio.Task[None]]:
        last = () if self._last is None or self._last.done() else (self._last,)
        return [*last, *self._apart]

    def _begin(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._last = self._loop.create_task(self._run(make, self._last))

    async def _run(
        self, make: Callable[[], Coroutine[Any, Any, None]], before: asyncio.Task[None] | None
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        await self._guarded(make())

    async def _guarded(self, telling: Coroutine[Any, Any, None]) -> None:
        try:
            await telling
        except Exception as error:  # noqa: BLE001 - of a plugin whose failures are to be raised
            self._error = self._error or error
