"""The real clock."""

from __future__ import annotations

import asyncio
import time

__all__ = ["SystemClock"]


class SystemClock:
    """The machine's clock; tests put a fake in its place (:class:`qtasks.typing.Clock`)."""

    def time(self) -> float:
        """Returns seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Returns seconds that never go backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Suspends the calling coroutine for ``seconds``."""
        await asyncio.sleep(seconds)
