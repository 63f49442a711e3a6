"""One state in the storage of the app."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from qtasks._builtin.state.declared import Declared
    from qtasks.contracts.storage import BaseStorage

__all__ = ["Bucket"]

T = TypeVar("T")


class Bucket:
    """Reads and writes one state; made on the loop that the storage belongs to.

    Args:
        storage: the app's storage.
        name: of the bucket.
        declared: what its class declares.
        awaits: whether the function that uses it awaits.
        limit: the most bytes of a value.
    """

    def __init__(
        self, storage: BaseStorage, name: str, declared: Declared, *, awaits: bool, limit: int
    ) -> None:
        self._storage = storage
        self._name = name
        self._declared = declared
        self._awaits = awaits
        self._limit = limit
        self._loop = asyncio.get_running_loop()

    async def get(self, key: str, default: Any) -> Any:
        """Returns a value, or the default given or declared."""
        self._declared.check_text(key)
        data = (await self._storage.state_get(self._name)).get(key)
        if data is None:
            self._declared.check_key(key)
            return self._declared.default(key) if default is None else default
        return self._declared.load(key, data)

    async def get_all(self) -> dict[str, Any]:
        """Returns all values in order."""
        return self._loaded(await self._storage.state_get(self._name))

    async def update(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Sets values at once; returns all."""
        changes = self._declared.dump(values, self._limit)
        if not changes:
            return await self.get_all()
        found = await self._storage.state_update(self._name, changes, self._declared.ttl)
        return self._loaded(found)

    async def set(self, key: str, value: Any) -> None:
        """Sets a value; the others are not looked at, and may be what the class knows no more."""
        changes = self._declared.dump({key: value}, self._limit)
        await self._storage.state_update(self._name, changes, self._declared.ttl)

    async def delete(self, key: str) -> None:
        """Removes a value."""
        self._declared.check_text(key)
        await self._storage.state_update(self._name, {key: None}, self._declared.ttl)

    async def clear(self) -> None:
        """Removes all."""
        await self._storage.state_clear(self._name)

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs one of these on the loop, and blocks the calling thread meanwhile.

        Raises:
            RuntimeError: the calling thread is that of the loop.
        """
        try:
            running: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is not None:
            coroutine.close()
            msg = "this state blocks, and may not be used on an event loop: use AsyncState there"
            raise RuntimeError(msg)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def answer(self, coroutine: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T] | T:
        """Returns one of these to be awaited, or its value, as the function wants it."""
        return coroutine if self._awaits else self.wait(coroutine)

    def _loaded(self, found: Mapping[str, bytes]) -> dict[str, Any]:
        return {key: self._declared.load(key, data) for key, data in found.items()}
