"""The first connection, to a server that may not be there yet."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from qtasks._runtime.backoff import Backoff
from qtasks.exc import ServerUnavailableError

if TYPE_CHECKING:
    from qtasks._core.connection import Connection

__all__ = ["open_patiently"]

log = logging.getLogger("qtasks.worker")

#: Seconds of the first pause and of the longest one.
_PAUSES: Final = (0.1, 1.0)


async def open_patiently(
    connection: Connection, user: object, stopping: asyncio.Event
) -> int | None:
    """Connects, however long the server takes to come; one line says that it is waited for.

    Args:
        connection: what to open.
        user: for whom.
        stopping: ends the wait.

    Returns:
        How many attempts failed before it was connected; None if the wait was ended.

    Raises:
        ServerError: the server refuses in a way that waiting does not mend.
        ConfigError: the URL or the server's version cannot be used.
    """
    backoff = Backoff(*_PAUSES)
    while not stopping.is_set():
        try:
            await connection.open(user)
        except ServerUnavailableError as error:
            if not backoff.failures:
                log.warning("The broker is away, the worker waits for it: %s", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(backoff.pause()):
                    await stopping.wait()
        else:
            if backoff.failures:
                log.info("The broker is there after %d attempts", backoff.failures)
            return backoff.failures
    return None
