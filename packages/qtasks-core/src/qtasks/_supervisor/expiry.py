"""Takes back what dead children held, at once and however long the broker is away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from typing import TYPE_CHECKING, Final

from qtasks._runtime.backoff import Backoff
from qtasks._version import __version__
from qtasks.exc import ServerError
from qtasks.schemas import Presence, RecordQuery

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks._core.connection import Connection
    from qtasks.schemas import Record

__all__ = ["Expiry"]

log = logging.getLogger("qtasks.supervisor")

#: Seconds of the first pause while the broker is away, and of the longest one.
_PAUSES: Final = (0.05, 5.0)
#: Seconds until it is done once more: the last claim of a dead child may still be under way.
_AGAIN: Final = 1.0
#: The newest dead letters among which are those of a worker that has just died, and tasks of it
#: that are looked up.
_MANY: Final = 100
#: Seconds that are left for it when everything ends.
_LAST: Final = 2.0


class Expiry:
    """Expires workers over a connection of its own.

    Args:
        connection: the broker and its storage; opened when it is needed.
        tell: takes the id of a dead worker, and the ids of tasks that are dead letters because it
            was the last of those that they took down; None if nobody wants to know.
    """

    def __init__(
        self, connection: Connection, tell: Callable[[str, list[str]], None] | None = None
    ) -> None:
        self._connection = connection
        self._tell = tell
        self._first: set[asyncio.Task[None]] = set()
        self._second: set[asyncio.Task[None]] = set()

    def expire(
        self, worker: str, number: int, show: Callable[[list[Record]], None] | None = None
    ) -> None:
        """Begins to take back what a dead worker held.

        Args:
            worker: its id.
            number: the child's number, for the log.
            show: takes what it held, before that is taken back; it is called at least once, with
                nothing if the broker cannot tell. None if nobody wants to know.
        """
        task = asyncio.get_running_loop().create_task(self._shown(worker, number, show))
        self._first.add(task)
        task.add_done_callback(self._first.discard)

    async def close(self) -> None:
        """Ends it: what has not been done in two seconds is left to the leases."""
        if self._first:
            await asyncio.wait(self._first, timeout=_LAST)
        rest = [*self._first, *self._second]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        with contextlib.suppress(ServerError):
            await self._connection.close(self)

    async def _shown(
        self, worker: str, number: int, show: Callable[[list[Record]], None] | None
    ) -> None:
        try:
            await self._expire(worker, number, show)
        finally:
            if show is not None:
                show([])

    async def _expire(
        self, worker: str, number: int, show: Callable[[list[Record]], None] | None
    ) -> None:
        backoff = Backoff(*_PAUSES)
        known: set[str] = set()
        while True:
            try:
                await self._connection.open(self)
                if show is not None:
                    show(await self._held_by(worker))
                # What a keeper has found while the worker lived was told there.
                known.update(await self._convicted(worker))
                count = await self._connection.broker.expire(worker)
                await self._connection.broker.report(_nobody(worker), 0.0)
            except ServerError as error:
                if not error.retriable:
                    log.error("[%d] Its tasks come back when their leases end: %s", number, error)  # noqa: TRY400 - the trace says nothing more
                    return
                if not backoff.failures:
                    log.warning("[%d] Its tasks cannot be taken back yet: %s", number, error)
                await asyncio.sleep(backoff.pause())
            else:
                break
        if count:
            log.info("[%d] Took back %d of its tasks", number, count)
            await self._tell_convicted(worker, known)
        task = asyncio.get_running_loop().create_task(self._expire_again(worker))
        self._second.add(task)
        task.add_done_callback(self._second.discard)

    async def _held_by(self, worker: str) -> list[Record]:
        """Looks what a dead worker holds; whatever comes of it, that is taken back."""
        with contextlib.suppress(ServerError):
            held = await self._connection.broker.holds(worker)
            ids = [one.id for one in held[:_MANY]]
            found = await self._connection.storage.get(ids) if ids else []
            return [record for record in found if record is not None]
        return []

    async def _tell_convicted(self, worker: str, known: set[str]) -> None:
        """Tells which of them are set aside instead of waiting again."""
        with contextlib.suppress(ServerError):  # they are told of nowhere, and are there anyway
            ids = [each for each in await self._convicted(worker) if each not in known]
            if ids and self._tell is not None:
                self._tell(worker, ids)

    async def _convicted(self, worker: str) -> list[str]:
        """Returns the dead letters that a worker has left; none if nobody wants to know."""
        if self._tell is None:
            return []
        query = RecordQuery(dead=True, reason="worker_lost", limit=_MANY)
        found = (await self._connection.storage.list(query)).records
        return [record.id for record in found if record.worker == worker]

    async def _expire_again(self, worker: str) -> None:
        await asyncio.sleep(_AGAIN)
        with contextlib.suppress(ServerError):
            await self._connection.broker.expire(worker)


def _nobody(worker: str) -> Presence:
    """Returns the presence of a worker that is gone: only its id matters."""
    return Presence(worker, socket.gethostname(), os.getpid(), (), version=__version__)
