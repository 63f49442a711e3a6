"""Connections that stay ready between calls.

The driver's clients borrow a connection from a pool for every command, behind locks and counters
of their own, which costs more than the command. Here a thread takes the connection that was used
last, and all coroutines of a loop share one, in which their commands follow each other.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from redis import exceptions

from qtasks.adapters.redis.connection import CLOSED_HERE, open_connection, same
from qtasks.adapters.redis.resp import pack

if TYPE_CHECKING:
    from qtasks.adapters.redis.connection import Connection

__all__ = ["BlockingWires", "LoopWires", "SharedWire"]

#: What a look at an idle connection raises if the server has closed it.
_CLOSED: Final = (exceptions.ConnectionError, OSError)
#: What an attempt to connect raises if it fails.
_FAULTS: Final = (exceptions.RedisError, OSError)


class BlockingWires:
    """Connections for any thread; a forked process makes its own.

    Args:
        pool: the driver's, of which not all is typed; makes them.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._idle: deque[Any] = deque()
        self._pid = os.getpid()

    def call(self, *command: Any) -> Any:
        """Sends one command and returns its answer, as the server gave it."""
        wire = self._take()
        try:
            wire.send_packed_command((pack(command),), check_health=False)
            answer = wire.read_response()
        except exceptions.ResponseError:  # an answer too
            self._idle.append(wire)
            raise
        except BaseException:  # whatever comes over it now belongs to nobody
            self._drop(wire)
            raise
        self._idle.append(wire)
        return answer

    def _take(self) -> Any:
        if self._pid != os.getpid():
            self._pid, self._idle = os.getpid(), deque()
        while True:
            try:
                wire = self._idle.pop()
            except IndexError:
                return self._pool.get_connection()
            if not _is_closed(wire):
                return wire
            self._drop(wire)

    def _drop(self, wire: Any) -> None:
        wire.disconnect()
        self._pool.release(wire)


class _Opening:
    """Makes connections of a loop, until it is closed.

    Args:
        pool: the driver's.
        silence: seconds without an answer after which a connection counts as dead.
    """

    def __init__(self, pool: Any, silence: float) -> None:
        self._pool = pool
        self._silence = silence
        self._closed = False

    async def _open(self) -> Connection:
        self._check()
        connection = await open_connection(self._pool, self._silence)
        try:
            self._check()
        except exceptions.ConnectionError:
            await connection.close()  # nobody would do so later
            raise
        return connection

    def _check(self) -> None:
        if self._closed:
            raise exceptions.ConnectionError(CLOSED_HERE)


class SharedWire(_Opening):
    """One connection for all calls of a loop: none of them waits at the server."""

    def __init__(self, pool: Any, silence: float) -> None:
        super().__init__(pool, silence)
        self._lock = asyncio.Lock()
        self._connection: Connection | None = None
        self._failures = 0  # attempts to connect that failed, the last one with this fault
        self._fault: Exception | None = None

    async def call(self, *command: Any) -> Any:
        """Sends one command and returns its answer, as the server gave it."""
        connection = self._connection
        if connection is None or not connection.usable:
            connection = await self._connect()
        return await connection.ask(pack(command))

    async def close(self) -> None:
        """Disconnects for good."""
        self._closed = True
        if self._connection is not None:
            await self._connection.close()

    async def _connect(self) -> Connection:
        failures = self._failures
        async with self._lock:
            if self._connection is not None and self._connection.usable:
                return self._connection
            if self._fault is not None and self._failures > failures:
                # It failed while we waited; each after the other would wait as long once more.
                raise same(self._fault)
            try:
                connection = await self._open()
            except _FAULTS as fault:
                self._failures, self._fault = self._failures + 1, same(fault)
                raise
            self._connection, self._fault = connection, None
            return connection


class LoopWires(_Opening):
    """Connections of a loop, one for each command that waits at the server."""

    def __init__(self, pool: Any, silence: float) -> None:
        super().__init__(pool, silence)
        self._idle: list[Connection] = []
        self._used: set[Connection] = set()

    async def call(self, *command: Any) -> Any:
        """Sends one command and returns its answer, as the server gave it."""
        connection = await self._take()
        self._used.add(connection)
        try:
            answer = await connection.ask(pack(command))
        except exceptions.ResponseError:  # an answer too
            self._idle.append(connection)
            raise
        except BaseException:  # the server may wait still, and must not find what nobody gets
            connection.abandon()
            raise
        finally:
            self._used.discard(connection)
        self._idle.append(connection)
        return answer

    async def close(self) -> None:
        """Disconnects for good."""
        self._closed = True
        for connection in [*self._idle, *self._used]:
            await connection.close()

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return await self._open()


def _is_closed(wire: Any) -> bool:
    """Tells whether an idle connection has something to read: its end, or what nobody asked for."""
    try:
        return bool(wire.can_read())
    except _CLOSED:
        return True
