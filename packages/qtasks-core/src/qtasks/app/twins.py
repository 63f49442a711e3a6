"""An app seen from code of the other colour.

A twin shares all that the app has but the way to the servers: coroutines await their calls, and
plain code blocks its thread.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qtasks._runtime.bridge import Portal
from qtasks.app import awaitable, blocking

if TYPE_CHECKING:
    from qtasks.app.base import BaseQueueTasks

__all__ = ["AwaitableTwin", "BlockingTwin", "awaitable_view", "blocking_view"]


class AwaitableTwin(awaitable.QueueTasks):
    """An app seen from coroutines.

    Args:
        app: the app, which the twin shares everything with.
    """

    def __init__(self, app: BaseQueueTasks) -> None:
        self.__dict__.update(app.__dict__)
        self._calls = self._client(self._connection)

    async def leave(self) -> None:
        """Closes what it has of its own."""
        await self.close()


class BlockingTwin(blocking.QueueTasks):
    """An app seen from threads.

    Args:
        app: the app, which the twin shares everything with.
        portal: the way to a loop, for calls that cannot block the thread at the server.
    """

    def __init__(self, app: BaseQueueTasks, portal: Portal) -> None:
        self.__dict__.update(app.__dict__)
        self._connect(portal)

    async def leave(self) -> None:
        """Closes what it has of its own; only on the loop."""
        await asyncio.to_thread(self.close)
        await self._hopping.stop()
        if self._driven is not None:
            self._connections.remove(self._driven.connection)


def awaitable_view(app: BaseQueueTasks) -> awaitable.QueueTasks:
    """Returns an app as coroutines see it: itself, or a twin that it keeps."""
    if isinstance(app, awaitable.QueueTasks):
        return app
    if not isinstance(app._twin, AwaitableTwin):  # noqa: SLF001 - one concept in two modules
        app._twin = AwaitableTwin(app)  # noqa: SLF001 - as above
    return app._twin  # noqa: SLF001 - as above


def blocking_view(app: BaseQueueTasks) -> blocking.QueueTasks:
    """Returns an app as plain code sees it: itself, or a twin that it keeps."""
    if isinstance(app, blocking.QueueTasks):
        return app
    if not isinstance(app._twin, BlockingTwin):  # noqa: SLF001 - one concept in two modules
        app._twin = BlockingTwin(app, Portal())  # noqa: SLF001 - as above
    return app._twin  # noqa: SLF001 - as above
