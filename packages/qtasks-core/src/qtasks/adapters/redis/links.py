"""Connections to the server, for a loop and for plain threads.

The driver brings a client for each; here both look the same: coroutines, which over the blocking
client never suspend. Nothing is repeated here: whether a call may be is decided above.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

import redis
import redis.asyncio
import redis.asyncio.retry
import redis.backoff
import redis.retry
from redis import exceptions

from qtasks.adapters.redis.cluster import ClusterLink
from qtasks.adapters.redis.loops import PerLoop
from qtasks.adapters.redis.nodes import attempt
from qtasks.adapters.redis.sentinels import SentinelLink
from qtasks.adapters.redis.wires import BlockingWires, LoopWires, SharedWire

if TYPE_CHECKING:
    from qtasks.adapters.redis.url import Target

__all__ = ["LONGEST_BLOCK", "BlockingLink", "Link", "LoopLink", "Way", "connect"]

#: The methods of a link by which commands go to one server.
Way: TypeAlias = Literal["call", "block", "bulk"]

#: Seconds of one blocking command; whoever waits longer asks again, which heals lost wake-ups.
LONGEST_BLOCK: Final = 5.0
#: Seconds without an answer after which a connection counts as dead; a wait at the server is no
#: silence. It is a third of a usual lease, so that there is time to renew it over another one.
_SILENCE: Final = 5.0
#: Seconds to connect.
_CONNECT: Final = 5.0
#: No limit of the driver's: there are as many connections as there are callers at once.
_CONNECTIONS: Final = 1 << 30


class Link(Protocol):
    """What the engine needs of the connections to a server.

    Answers are as the server gave them; those of ``everywhere`` as the driver reads them.
    """

    async def call(self, *command: Any) -> Any:
        """Sends one command and returns its answer."""
        ...

    async def block(self, *command: Any) -> Any:
        """Sends one command that waits at the server, over a connection of its own."""
        ...

    async def bulk(self, *command: Any) -> Any:
        """Sends one command that may take long, so that it keeps no others from their answers."""
        ...

    async def everywhere(self, *command: Any) -> dict[str, Any]:
        """Sends one command to every server that holds tasks.

        Returns:
            The answers by host and port; instead of an answer there may be an error.
        """
        ...

    async def close(self) -> None:
        """Disconnects."""
        ...


def connect(target: Target, *, blocking: bool, cluster: bool) -> Link:
    """Returns the link to a server, which connects with the first call.

    Args:
        target: where the server is.
        blocking: whether calls block their thread.
        cluster: whether the hosts are nodes of a cluster.
    """
    kind = BlockingLink if blocking else LoopLink
    if cluster:
        return ClusterLink(target, kind)
    return kind(target) if target.sentinel is None else SentinelLink(target, kind)


class LoopLink:
    """Connections for coroutines of any loop; each loop has its own, which end with it.

    Args:
        target: where the server is.
    """

    def __init__(self, target: Target) -> None:
        self._links = PerLoop(lambda: _OneLoop(target), _OneLoop.close)

    async def call(self, *command: Any) -> Any:
        """Sends one command; who cancels it never hears the answer."""
        return await (self._links.find() or await self._links.here()).call(*command)

    async def block(self, *command: Any) -> Any:
        """Sends one command that waits at the server."""
        return await (self._links.find() or await self._links.here()).block(*command)

    async def bulk(self, *command: Any) -> Any:
        """Sends one command over the connection of its kind."""
        return await (self._links.find() or await self._links.here()).bulk(*command)

    async def everywhere(self, *command: Any) -> dict[str, Any]:
        """Sends one command; an error is its answer."""
        return await (self._links.find() or await self._links.here()).everywhere(*command)

    async def close(self) -> None:
        """Disconnects."""
        await self._links.close()


class _OneLoop:
    """The connections of one loop."""

    def __init__(self, target: Target) -> None:
        asynchronous: Any = redis.asyncio
        self._place = target.place
        # Here the driver shall not watch the time: it does so with wait_for(), which before Python
        # 3.12 may lose a cancellation, and takes a task for every command.
        self._client: Any = _client(target, asynchronous, None)
        pool = self._client.connection_pool
        self._shared, self._bulk = (SharedWire(pool, _SILENCE) for _ in range(2))
        self._blocks = LoopWires(pool, LONGEST_BLOCK + _SILENCE)
        self.call, self.block = self._shared.call, self._blocks.call
        self.bulk = self._bulk.call

    async def everywhere(self, *command: Any) -> dict[str, Any]:
        """Sends one command; an error is its answer."""
        return {self._place: await attempt(self._ask(*command))}

    async def close(self) -> None:
        await self._shared.close()
        await self._bulk.close()
        await self._blocks.close()
        await self._client.aclose()

    async def _ask(self, *command: Any) -> Any:
        """Sends one command as the driver does, which knows how to read its answer."""
        try:
            async with asyncio.timeout(_SILENCE):
                return await self._client.execute_command(*command)
        except TimeoutError as error:
            msg = f"no answer within {_SILENCE:g} seconds"
            raise exceptions.TimeoutError(msg) from error


class BlockingLink:
    """Connections for any thread; each call blocks its own. After a fork they are made anew.

    Args:
        target: where the server is.
    """

    def __init__(self, target: Target) -> None:
        self._place = target.place
        silences = (_SILENCE, LONGEST_BLOCK + _SILENCE)
        self._clients: Any = [_client(target, redis, silence) for silence in silences]
        self._calls, self._blocks = (BlockingWires(one.connection_pool) for one in self._clients)

    async def call(self, *command: Any) -> Any:
        """Sends one command."""
        return self._calls.call(*command)

    async def block(self, *command: Any) -> Any:
        """Sends one command that waits at the server."""
        return self._blocks.call(*command)

    async def bulk(self, *command: Any) -> Any:
        """Sends one command."""
        return self._calls.call(*command)

    async def everywhere(self, *command: Any) -> dict[str, Any]:
        """Sends one command; an error is its answer."""
        return {self._place: await attempt(self._ask(*command))}

    async def _ask(self, *command: Any) -> Any:
        return self._clients[0].execute_command(*command)

    async def close(self) -> None:
        """Disconnects."""
        for client in self._clients:
            client.close()


def _client(target: Target, driver: Any, silence: float | None) -> Any:
    """Makes a client of one of the driver's two halves; they take the same arguments."""
    options: dict[str, Any] = {
        "username": target.username,
        "password": target.password,
        "protocol": 2,
        "socket_timeout": silence,
        "max_connections": _CONNECTIONS,
        "retry": driver.retry.Retry(redis.backoff.NoBackoff(), 0),
        **_encryption(target),
    }
    if target.path is not None:
        return driver.Redis(unix_socket_path=target.path, db=target.db, **options)
    options |= {"socket_connect_timeout": _CONNECT, "socket_keepalive": True}
    host, port = target.hosts[0]
    return driver.Redis(host=host, port=port, db=target.db, **options)


def _encryption(target: Target) -> dict[str, Any]:
    if not target.tls:
        return {}
    return {
        "ssl": True,
        "ssl_ca_certs": target.ca_certs,
        "ssl_certfile": target.certfile,
        "ssl_keyfile": target.keyfile,
        "ssl_cert_reqs": "required" if target.verify else "none",
        "ssl_check_hostname": target.verify,
    }
