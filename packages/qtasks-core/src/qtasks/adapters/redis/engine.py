"""What a broker and its storage share: the server, its shards, and the scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from redis import exceptions

from qtasks.adapters.redis.faults import DRIVER_ERRORS, translate
from qtasks.adapters.redis.greeting import Greeting, greet
from qtasks.adapters.redis.links import connect
from qtasks.adapters.redis.nodes import LOST
from qtasks.adapters.redis.scripts import load
from qtasks.adapters.redis.times import micros
from qtasks.adapters.redis.url import Target, parse_url
from qtasks.exc import ConfigError, ServerError, ServerUnavailableError
from qtasks.schemas import MAX_LOST, Retention

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from qtasks.adapters.redis.links import Link
    from qtasks.typing import Clock

__all__ = ["Engine"]

_encode = msgspec.msgpack.Encoder().encode

#: The shard of what belongs to no queue, in a cluster; no queue is named so.
_MAIN: Final = "{@}:"


class Engine:
    """Runs scripts on one server for a broker and its storage.

    A *shard* is a prefix of keys. A single server has one shard. A cluster has one for every
    queue, because a script sees the keys of one hash slot only, and a main one for all else.

    Args:
        url: where the server is.
        clock: for tests: tells the time instead of the server.
        blocking: whether calls block the thread instead of suspending.
        per_queue: whether a cluster has a shard for every queue; a storage without a broker does
            not know the queues of its tasks, so it keeps all in the main one.

    Attributes:
        retention: how long what ends by itself is kept.
    """

    def __init__(
        self, url: str, clock: Clock | None, *, blocking: bool = False, per_queue: bool = False
    ) -> None:
        self.url = url
        self.clock = clock
        self.blocking = blocking
        self.target: Target = parse_url(url)
        self.retention = Retention()
        self.greeting = Greeting()
        self._per_queue = per_queue
        self._twin_of: Engine | None = None
        self._users: set[str] = set()
        self._link: Link | None = None

    def twin(self) -> Engine:
        """Returns a blocking engine for the same server."""
        twin = Engine(self.url, self.clock, blocking=True, per_queue=self._per_queue)
        twin.retention, twin._twin_of = self.retention, self
        return twin

    # Life

    async def start(self, user: str) -> None:
        """Connects with the first user.

        Raises:
            ConfigError: the server is too old, or the URL does not fit it.
            ServerUnavailableError: it cannot be reached.
        """
        if not self._users:
            several = len(self.target.hosts) > 1 and self.target.sentinel is None
            link = connect(self.target, blocking=self.blocking, cluster=several)
            try:
                self.greeting = await greet(
                    link, self.target, blocking=self.blocking, known=self._has_met
                )
                if self.greeting.cluster and not several:
                    await link.close()
                    link = connect(self.target, blocking=self.blocking, cluster=True)
                self._link = link
                await self._try_out()
            except BaseException:
                self._link = None
                await link.close()
                raise
        self._users.add(user)

    @property
    def _has_met(self) -> bool:
        """Whether it, or that whose twin it is, has spoken with the server before."""
        both = (self, self._twin_of or self)
        return any(engine.greeting.version for engine in both)

    async def _try_out(self) -> None:
        """Sees whether it serves, and lets us in, before somebody relies on it."""
        try:
            await self.queues()
        except ServerUnavailableError:
            raise
        except ServerError as error:
            raise ConfigError(str(error)) from error

    async def stop(self, user: str) -> None:
        """Disconnects with the last user."""
        self._users.discard(user)
        if not self._users and self._link is not None:
            link, self._link = self._link, None
            await link.close()

    # Shards

    @property
    def main(self) -> str:
        """The shard of what belongs to no queue."""
        tag = _MAIN if self.greeting.cluster else ""
        return f"{self.target.prefix}:{tag}"

    @property
    def sharded(self) -> bool:
        """Whether queues have shards of their own."""
        return self._per_queue and self.greeting.cluster

    def shard(self, queue: str) -> str:
        """Returns the shard of a queue."""
        if not self.sharded or not queue:  # braces around nothing would put each key elsewhere
            return self.main
        # What stands between the first braces decides the slot.
        tag = queue.replace("%", "%25").replace("}", "%7D").replace("@", "%40")
        return f"{self.target.prefix}:{{{tag}}}:"

    async def shards(self) -> list[str]:
        """Returns all shards in which tasks may be."""
        if not self.sharded:
            return [self.main]
        return [self.shard(name) for name in await self.queues()]

    async def queues(self) -> list[str]:
        """Returns all queues that were ever published to, sorted."""
        names = await self.repeat("queues", self.main)
        return sorted(name.decode(errors="backslashreplace") for name in names)

    # Calls

    async def run(self, script: str, shard: str, *args: Any, blobs: Sequence[bytes] = ()) -> Any:
        """Runs a script and returns its answer.

        Args:
            script: its name.
            shard: where.
            args: what it gets as its arguments.
            blobs: byte strings; the first has the number 3 in the arguments.

        Raises:
            ServerError: the server failed, or cannot be reached.
        """
        return await self._run(self.call, script, shard, args, blobs)

    async def move(self, script: str, shard: str, *args: Any, blobs: Sequence[bytes] = ()) -> Any:
        """Runs a script that moves tasks, apart from the other calls of the loop.

        Raises:
            ServerError: as :meth:`run`.
        """
        return await self._run(self._bulk, script, shard, args, blobs)

    async def repeat(self, script: str, shard: str, *args: Any, blobs: Sequence[bytes] = ()) -> Any:
        """Runs a script that may be run twice, and once more if the first answer was lost.

        So nobody has to wonder whether a call whose connection broke was carried out, and reading
        does not fail because another call of the same loop broke the connection.

        Raises:
            ServerError: as :meth:`run`.
        """
        try:
            return await self.run(script, shard, *args, blobs=blobs)
        except ServerUnavailableError as error:
            if not isinstance(error.__cause__, LOST):
                raise
        return await self.run(script, shard, *args, blobs=blobs)

    async def call(self, *command: Any) -> Any:
        """Sends a command."""
        return await self._said(self._started().call(*command))

    async def everywhere(self, *command: Any) -> dict[str, Any]:
        """Sends a command to every server; the driver's errors are among the answers."""
        answers: dict[str, Any] = await self._said(self._started().everywhere(*command))
        return answers

    async def block(self, *command: Any) -> Any:
        """Sends a command that waits at the server."""
        return await self._said(self._started().block(*command))

    def time(self) -> str:
        """Returns the time that scripts shall believe; empty for the server's own."""
        return "" if self.clock is None else str(micros(self.clock.time()))

    def limits(self) -> dict[str, int]:
        """Returns what scripts need that end tasks by themselves."""
        return {
            "result_ttl": micros(self.retention.result_ttl),
            "dead_ttl": micros(self.retention.dead_ttl),
            "dead_limit": self.retention.dead_limit,
            "max_lost": MAX_LOST,
        }

    async def _run(
        self,
        call: Callable[..., Awaitable[Any]],
        script: str,
        shard: str,
        args: Sequence[Any],
        blobs: Sequence[bytes],
    ) -> Any:
        found = load(script)
        command = (1, shard, self.time(), _encode(args), *blobs)
        try:
            return await call("EVALSHA", found.sha, *command)
        except _NotLoadedError:
            return await call("EVAL", found.text, *command)

    async def _bulk(self, *command: Any) -> Any:
        return await self._said(self._started().bulk(*command))

    async def _said(self, answer: Awaitable[Any]) -> Any:
        """Waits for the answer of a server."""
        try:
            return await answer
        except exceptions.NoScriptError:
            raise _NotLoadedError from None
        except DRIVER_ERRORS as error:
            raise translate(error, self.target) from error

    def _started(self) -> Link:
        if self._link is None:
            msg = f"Redis at {self.target.place} is not connected: call start() first"
            raise ServerError(msg)
        return self._link


class _NotLoadedError(Exception):
    """The server does not know the script; it was restarted, or its scripts were flushed."""
