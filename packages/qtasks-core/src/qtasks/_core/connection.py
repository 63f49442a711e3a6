"""One broker used by several parts of an app: connected with the first, cut with the last."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from qtasks.exc import UnsupportedError

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker
    from qtasks.contracts.storage import BaseStorage

__all__ = ["Connection"]


class Connection:
    """Counts who uses a broker and its storage.

    Args:
        broker: a broker that has a storage.

    Raises:
        UnsupportedError: it has none; the app must be given one.
    """

    def __init__(self, broker: BaseBroker) -> None:
        if broker.storage is None:
            msg = f"{type(broker).__name__} keeps no records: set storage_url= as well"
            raise UnsupportedError(msg)
        self.broker = broker
        self.storage: BaseStorage = broker.storage
        self._users: set[object] = set()
        self._lock = threading.Lock()
        self._openings: dict[asyncio.AbstractEventLoop, asyncio.Future[Exception | None]] = {}

    async def open(self, user: object) -> bool:
        """Connects unless somebody has; harmless for one who has.

        Of many coroutines that begin at once, one connects, and the others wait for it.

        Returns:
            Whether ``user`` is a new one; of several threads at once, one is told so.
        """
        if user in self._users:
            return False
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # it is driven by a thread that it blocks
            return await self._open(user)
        while (opening := self._openings.get(loop)) is not None:
            await asyncio.wait([opening])
            if (error := opening.result()) is not None:
                raise error
            if user in self._users:
                return False
        opening = self._openings[loop] = loop.create_future()
        error = None
        try:
            return await self._open(user)
        except Exception as raised:
            error = raised
            raise
        finally:
            del self._openings[loop]
            opening.set_result(error)

    async def _open(self, user: object) -> bool:
        await self.broker.start()
        try:
            await self.storage.start()
        except BaseException:
            if not self._users:
                await self.broker.stop()
            raise
        with self._lock:
            new = user not in self._users
            self._users.add(user)
        return new

    def serves(self, user: object) -> bool:
        """Tells whether somebody uses it."""
        return user in self._users

    async def close(self, user: object) -> None:
        """Disconnects if nobody else is left."""
        if user in self._users:
            self._users.remove(user)
            if not self._users:
                await self.storage.stop()
                await self.broker.stop()
