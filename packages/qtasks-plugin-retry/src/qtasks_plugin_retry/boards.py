"""Where budgets and breakers count: in this process, or in the storage for all workers."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks.storages import BaseStorage

__all__ = ["Board", "LocalBoard", "StorageBoard"]

#: Keeps these counters and buckets apart from those of others.
_PREFIX: Final = "retry:"
#: The only key of a bucket.
_KEY: Final = "standing"
#: After how many keys those are looked for whose time is over.
_MANY: Final = 1000


class Board(Protocol):
    """Counters, and one value by name."""

    async def add(self, key: str, amount: int, ttl: float) -> int:
        """Adds to a counter in one step, and returns its new value.

        Args:
            key: any text.
            amount: what to add; 0 reads.
            ttl: seconds from its first use until it disappears.
        """

    async def read(self, name: str) -> bytes | None:
        """Returns a value, or None."""

    async def write(self, name: str, value: bytes) -> None:
        """Keeps a value."""


class LocalBoard:
    """Counts in this process; several loops may use it.

    Args:
        clock: returns seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counters: dict[str, tuple[int, float]] = {}
        self._values: dict[str, bytes] = {}
        self._sweep_at = _MANY

    def __len__(self) -> int:
        """Returns how many counters it keeps."""
        return len(self._counters)

    async def add(self, key: str, amount: int, ttl: float) -> int:
        """Adds to a counter."""
        with self._lock:
            now = self._clock()
            value, until = self._counters.get(key, (0, 0.0))
            if until <= now:
                value, until = 0, now + ttl
            if amount:
                self._counters[key] = (value + amount, until)
                self._sweep(now)
            return value + amount

    async def read(self, name: str) -> bytes | None:
        """Returns a value, or None."""
        return self._values.get(name)

    async def write(self, name: str, value: bytes) -> None:
        """Keeps a value."""
        self._values[name] = value

    def _sweep(self, now: float) -> None:
        """Forgets what is over, so that nothing grows for ever."""
        if len(self._counters) < self._sweep_at:
            return
        self._counters = {key: it for key, it in self._counters.items() if it[1] > now}
        self._sweep_at = 2 * len(self._counters) + _MANY


class StorageBoard:
    """Counts in the storage.

    Args:
        storage: the app's storage.
    """

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage

    async def add(self, key: str, amount: int, ttl: float) -> int:
        """Adds to a counter."""
        return await self._storage.counter_add(_PREFIX + key, amount, ttl)

    async def read(self, name: str) -> bytes | None:
        """Returns a value, or None."""
        return (await self._storage.state_get(_PREFIX + name)).get(_KEY)

    async def write(self, name: str, value: bytes) -> None:
        """Keeps a value."""
        await self._storage.state_update(_PREFIX + name, {_KEY: value})
