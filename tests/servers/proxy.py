"""A wire between client and server that counts what passes, and can be cut.

The proxy runs in a thread of its own, so it serves blocking and asynchronous clients alike.
It knows nothing of the protocol: a request is what a client sends between two replies.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    from servers.process import Server

_CHUNK = 1 << 16
#: Seconds between two portions on a slow wire.
_TICK = 0.05


@dataclass
class Traffic:
    """What has passed since the last reset.

    Attributes:
        connections: accepted connections.
        round_trips: requests, each the bytes that a client sent between two replies.
        sent: bytes from clients to the server.
        received: bytes from the server to clients.
    """

    connections: int = 0
    round_trips: int = 0
    sent: int = 0
    received: int = 0


@dataclass
class _Cut:
    """A fault that waits for its request."""

    containing: bytes
    times: int
    applied: bool  # whether the server still gets the request


@dataclass(eq=False)
class _Wire:
    """One connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    asked: bool = False  # a request is under way
    lose_reply: bool = False
    dead: bool = False  # nothing passes any more, and nobody is told
    trickle: float | None = None  # bytes a second
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def abort(self) -> None:
        """Ends both halves at once; the client sees a reset or an end."""
        for writer in (self.client, self.server):
            if writer is not None:
                writer.transport.abort()
        for task in self.tasks:
            task.cancel()


class Proxy:
    """Listens on a free loopback port and leads to a server.

    Use it as a context manager.

    Args:
        server: where it leads.
        tls: makes the client's side of the wire TLS, whatever the server can do.

    Attributes:
        traffic: the counts.
        cuts: how many connections a fault has cut.
    """

    def __init__(self, server: Server, *, tls: ssl.SSLContext | None = None) -> None:
        self.traffic = Traffic()
        self.cuts = 0
        self.port = 0
        self._server = server
        self._tls = tls
        self._faults: list[_Cut] = []
        self._delay = 0.0  # seconds
        self._jitter = 0.0  # seconds, at most so many more
        self._rate: float | None = None  # bytes a second, each way
        self._chance = random.Random(0)
        self._open = asyncio.Event()
        self._wires: set[_Wire] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        """The URL of the server through this proxy."""
        url = self._server.url_of(password=self._server.password, port=self.port)
        return url.replace("redis://", "rediss://", 1) if self._tls else url

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

    def reset(self) -> Traffic:
        """Returns the counts so far and starts anew."""
        counted = self.traffic
        self._call(lambda: setattr(self, "traffic", Traffic()))
        return counted

    def lose_request(self, containing: bytes = b"", times: int = 1) -> None:
        """Cuts the connection when a request with these bytes comes, before the server has it."""
        self._call(lambda: self._faults.append(_Cut(containing, times, applied=False)))

    def lose_reply(self, containing: bytes = b"", times: int = 1) -> None:
        """Cuts the connection once the server has answered a request with these bytes."""
        self._call(lambda: self._faults.append(_Cut(containing, times, applied=True)))

    def cut(self) -> None:
        """Cuts every connection; new ones are let through."""
        self._call(self._cut_all)

    def blackhole(self) -> None:
        """Lets nothing pass any more, on old connections and new ones, and closes none."""
        self._call(self._open.clear)

    def strand(self) -> None:
        """Leaves the present connections half open: nothing passes and no end; new ones work."""

        def strand() -> None:
            for wire in self._wires:
                wire.dead = True

        self._call(strand)

    def trickle(self, rate: float) -> None:
        """Lets so many bytes a second pass on the present connections; new ones are quick."""

        def trickle() -> None:
            for wire in self._wires:
                wire.trickle = rate

        self._call(trickle)

    def limit(self, rate: float) -> None:
        """Lets so many bytes a second pass on every connection, in each direction."""
        self._call(lambda: setattr(self, "_rate", rate))

    def delay(self, seconds: float, jitter: float = 0.0) -> None:
        """Holds back every request for so long, and by chance up to ``jitter`` seconds longer."""

        def delay() -> None:
            self._delay, self._jitter = seconds, jitter

        self._call(delay)

    def heal(self) -> None:
        """Ends every fault; what a black hole held back now passes, and half-open stays so."""

        def heal() -> None:
            self._faults.clear()
            self._delay = self._jitter = 0.0
            self._rate = None
            for wire in self._wires:
                wire.trickle = None
            self._open.set()

        self._call(heal)

    def _call(self, change: Callable[[], object]) -> None:
        """Makes a change in the proxy's thread and waits for it."""

        async def call() -> None:
            change()

        asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._open.set()
        listener = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        listener.close()
        tasks = [task for wire in self._wires for task in wire.tasks]
        self._cut_all()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.traffic.connections += 1
        wire = _Wire(writer)
        self._wires.add(wire)
        try:
            upstream, wire.server = await asyncio.open_connection("127.0.0.1", self._server.port)
            wire.tasks = [
                asyncio.create_task(_until_broken(self._ask(wire, reader))),
                asyncio.create_task(_until_broken(self._answer(wire, upstream))),
            ]
            await asyncio.wait(wire.tasks, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # the server is away: the client sees its connection end
        finally:
            wire.abort()
            self._wires.discard(wire)

    async def _ask(self, wire: _Wire, reader: asyncio.StreamReader) -> None:
        """Carries requests to the server."""
        assert wire.server is not None
        while chunk := await reader.read(_CHUNK):
            if self._delay or self._jitter:
                await asyncio.sleep(self._delay + self._chance.uniform(0, self._jitter))
            await self._passage(wire)
            if (fault := self._due(chunk)) is not None:
                self.cuts += 1
                if not fault.applied:
                    return
                wire.lose_reply = True
            self.traffic.round_trips += not wire.asked
            self.traffic.sent += len(chunk)
            wire.asked = True
            await self._carry(wire, chunk, wire.server)

    async def _answer(self, wire: _Wire, reader: asyncio.StreamReader) -> None:
        """Carries replies to the client."""
        while chunk := await reader.read(_CHUNK):
            await self._passage(wire)
            if wire.lose_reply:
                return
            self.traffic.received += len(chunk)
            wire.asked = False
            await self._carry(wire, chunk, wire.client)

    async def _passage(self, wire: _Wire) -> None:
        """Waits until something may pass; on a half-open wire, until it is cut."""
        await self._open.wait()
        if wire.dead:
            await asyncio.Event().wait()

    async def _carry(self, wire: _Wire, chunk: bytes, to: asyncio.StreamWriter) -> None:
        """Hands on what came, as quickly as it may."""
        at = 0
        while at < len(chunk):
            rate = wire.trickle or self._rate
            part = len(chunk) if rate is None else max(1, int(rate * _TICK))
            if rate is not None:
                await asyncio.sleep(min(part, len(chunk) - at) / rate)
                await self._passage(wire)
            to.write(chunk[at : at + part])
            await to.drain()
            at += part

    def _due(self, chunk: bytes) -> _Cut | None:
        """Returns the fault that a request meets, if any."""
        for fault in self._faults:
            if fault.containing in chunk:
                fault.times -= 1
                if not fault.times:
                    self._faults.remove(fault)
                return fault
        return None

    def _cut_all(self) -> None:
        for wire in self._wires:
            wire.abort()


async def _until_broken(carry: Coroutine[None, None, None]) -> None:
    """Carries until an end or a reset, which are the same to a wire."""
    with contextlib.suppress(OSError):
        await carry
