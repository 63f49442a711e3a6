"""``SyncStats`` and ``AsyncStats``: look at an app and its servers."""

from __future__ import annotations

from typing import Any

from qtasks.app import awaitable, blocking
from qtasks.app.inspection import InspectStats
from qtasks.exc import ConfigError

__all__ = ["AsyncStats", "SyncStats"]


class SyncStats:
    """Looks at an app for synchronous code.

    Args:
        app: the app.

    Raises:
        ConfigError: it is not an app of this colour.
    """

    def __init__(self, app: blocking.QueueTasks) -> None:
        _check(app, blocking.QueueTasks, "SyncStats", "qtasks.QueueTasks")
        self._app = app

    def inspect(self) -> InspectStats:
        """Asks for the queues and the living workers, and returns what there is to tell.

        Raises:
            ServerError: the broker does not answer.
        """
        queues, workers = self._app._run(lambda client: client.inspect(self))  # noqa: SLF001 - one concept in two modules
        return InspectStats(self._app, queues, workers)


class AsyncStats:
    """Looks at an app for asynchronous code.

    Args:
        app: the app.

    Raises:
        ConfigError: it is not an app of this colour.
    """

    def __init__(self, app: awaitable.QueueTasks) -> None:
        _check(app, awaitable.QueueTasks, "AsyncStats", "qtasks.asyncio.QueueTasks")
        self._app = app

    async def inspect(self) -> InspectStats:
        """Asks for the queues and the living workers, and returns what there is to tell.

        Raises:
            ServerError: the broker does not answer.
        """
        queues, workers = await self._app._run(lambda client: client.inspect(self))  # noqa: SLF001 - one concept in two modules
        return InspectStats(self._app, queues, workers)


def _check(app: Any, kind: type[Any], name: str, path: str) -> None:
    if not isinstance(app, kind):
        other = {"SyncStats": "AsyncStats", "AsyncStats": "SyncStats"}[name]
        msg = f"{name}({app!r}): it takes a {path}; an app of the other kind is for {other}"
        raise ConfigError(msg)
