"""A wire that takes time: each request arrives so much later, and none waits for another.

A client that sends one request after the other without waiting pays the delay once, as it would on
a real network.
"""

from __future__ import annotations

import asyncio
import collections
import threading
from typing import TYPE_CHECKING, Self, cast
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["SlowWire"]


class SlowWire:
    """Listens on a free loopback port and leads to a server; use it as a context manager.

    Args:
        url: where it leads.
        delay: seconds that each request is held back; replies pass at once.

    Attributes:
        url: that of the server through this wire.
    """

    def __init__(self, url: str, delay: float) -> None:
        self.url = ""
        self._target = urlsplit(url)
        self._delay = delay
        self._ends: list[_Near] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slow wire", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        where = self._target.hostname or "127.0.0.1", self._target.port or 6379
        listener = await self._loop.create_server(
            lambda: _Near(where, self._delay, self._ends), "127.0.0.1", 0
        )
        own = listener.sockets[0].getsockname()[1]
        place = self._target.netloc.rpartition(":")[0]
        self.url = urlunsplit(self._target._replace(netloc=f"{place}:{own}"))
        self._ready.set()
        await self._stop.wait()
        listener.close()
        for near in self._ends:
            near.abort()


class _Near(asyncio.Protocol):
    """The client's end: it keeps what comes until its time."""

    def __init__(self, where: tuple[str, int], delay: float, ends: list[_Near]) -> None:
        self._where = where
        self._ends = ends
        self._delay = delay
        self._kept: collections.deque[bytes | None] = collections.deque()
        self._far: asyncio.Transport | None = None
        self._early = 0  # what came due before the server's end was open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._opening = asyncio.ensure_future(self._open())
        self._ends.append(self)

    def data_received(self, data: bytes) -> None:
        self._keep(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's
        self._keep(None)

    def abort(self) -> None:
        """Ends both halves at once."""
        self._opening.cancel()
        self.transport.abort()
        if self._far is not None:
            self._far.abort()

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            far, _ = await loop.create_connection(lambda: _Far(self.transport), *self._where)
        except OSError:
            self.transport.abort()
            return
        self._far = far
        for _ in range(self._early):
            self._pass_on()

    def _keep(self, data: bytes | None) -> None:
        # A timer passes the first on, not its own: timers of one instant keep no order.
        self._kept.append(data)
        asyncio.get_running_loop().call_later(self._delay, self._pass_on)

    def _pass_on(self) -> None:
        if self._far is None:
            self._early += 1
            return
        data = self._kept.popleft()
        if data is None:
            self._far.close()
        else:
            self._far.write(data)


class _Far(asyncio.Protocol):
    """The server's end."""

    def __init__(self, near: asyncio.Transport) -> None:
        self._near = near

    def data_received(self, data: bytes) -> None:
        self._near.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's
        self._near.close()
