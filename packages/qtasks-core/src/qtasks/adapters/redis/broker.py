"""The broker on Redis or Valkey."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from qtasks.adapters.redis import messages as packing
from qtasks.adapters.redis.claiming import Claimer
from qtasks.adapters.redis.diagnose import diagnose
from qtasks.adapters.redis.engine import Engine
from qtasks.adapters.redis.housekeeping import expire, holds, sweep
from qtasks.adapters.redis.publishing import Publisher
from qtasks.adapters.redis.storage import RedisStorage
from qtasks.adapters.redis.times import micros, seconds
from qtasks.adapters.redis.waiting import Deadline, pop
from qtasks.contracts.broker import BaseBroker
from qtasks.contracts.codec import UNREADABLE
from qtasks.schemas import (
    Capabilities,
    Claim,
    Delivery,
    Exchange,
    Extension,
    Finding,
    Held,
    Message,
    Presence,
    QueueStats,
    Receipt,
    Retention,
    Settlement,
    Swept,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from qtasks.typing import Clock

__all__ = ["RedisBroker"]

#: Tasks that one step of a purge removes.
_PURGE_STEP: Final = 500

_decode_presence: Final = msgspec.msgpack.Decoder(Presence).decode


class RedisBroker(BaseBroker):
    """Keeps queues and records on Redis 6.2 or newer, or Valkey: one server, Sentinel or a cluster.

    What was acknowledged is as safe as the server's own settings make it: with ``appendonly yes``
    and ``appendfsync always`` it survives any crash of the server.

    Args:
        url: ``redis://host:6379/0``, ``rediss://`` with TLS or ``unix:///path/to/socket``; see
            ``qtasks.adapters.redis.url`` for accounts, Sentinels and clusters.
        clock: for tests: tells the time instead of the server.

    Raises:
        ConfigError: the URL cannot be used.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(overlap=True)

    def __init__(
        self, url: str = "redis://localhost:6379/0", *, clock: Clock | None = None
    ) -> None:
        self._join(Engine(url, clock, per_queue=True))
        super().__init__(url)

    def _join(self, engine: Engine) -> None:
        """Works on an engine, together with a storage."""
        self._engine = engine
        self._storage = RedisStorage.over(engine)
        self._publisher = Publisher(engine)
        self._claimer = Claimer(engine)

    @property
    def retention(self) -> Retention:
        """How long it keeps what it ends by itself; the storage shares it."""
        return self._engine.retention

    @retention.setter
    def retention(self, retention: Retention) -> None:
        self._engine.retention = retention

    @property
    def storage(self) -> RedisStorage:
        """The storage on the same server."""
        return self._storage

    # Life

    async def start(self) -> None:
        """Connects.

        Raises:
            ConfigError: the server is too old, refuses the password, or does not fit the URL.
            ServerUnavailableError: it cannot be reached, or cannot serve yet.
        """
        await self._engine.start("broker")

    async def stop(self) -> None:
        """Disconnects, unless the storage was started apart."""
        await self._publisher.stop()
        await self._engine.stop("broker")

    def client(self) -> Self:
        """Returns a blocking twin with connections of its own."""
        twin = type(self)(self.url)
        twin._join(self._engine.twin())  # noqa: SLF001 - it is one of us
        return twin

    async def diagnose(self) -> list[Finding]:
        """Says how fit the server is."""
        return await diagnose(self._engine)

    # Messages

    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        """Queues messages: up to 1,000, or 8 MiB, in one atomic step, more in several.

        In a cluster each queue is a step of its own. If one of several steps fails, those before
        it are queued; the same call may be repeated. A step whose connection broke is sent again.
        """
        return await self._publisher.publish(messages)

    async def claim(self, request: Claim) -> list[Delivery]:
        """Hands out due messages at once, possibly none."""
        return list((await self._claimer.exchange((), request)).deliveries)

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        """Writes outcomes; returns the ids it refused."""
        return list((await self._claimer.exchange(settlements, None)).refused)

    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        """Settles and claims in one round trip."""
        return await self._claimer.exchange(settlements, request)

    async def ready(self, queues: Sequence[str], timeout: float) -> bool:
        """Waits until a claim may find something, at most ``timeout`` seconds."""
        names = tuple(dict.fromkeys(queues))
        deadline = Deadline(self._engine, timeout)
        due = None if deadline.over else self._claimer.idle(names)
        while True:
            if due is None or due <= 0:
                there, due = await self._look(names)
                if there:
                    return True
            self._claimer.rest(names, due)
            if deadline.over:
                return False
            marker = await pop(self._engine, self._markers(names), deadline.next(due))
            if marker == b"1":
                return True
            due = self._claimer.idle(names) if marker is None else None

    async def _look(self, queues: Sequence[str]) -> tuple[bool, float]:
        """Returns whether there is something to claim, and else in how many seconds there will."""
        soonest = inf
        for shard, names in self._grouped(queues).items():
            there, due = await self._engine.repeat("ready", shard, names, not self._claimer.passed)
            if there:
                return True, 0.0
            soonest = soonest if due < 0 else min(soonest, seconds(due))
        return False, soonest

    def _markers(self, queues: Sequence[str]) -> dict[str, list[str]]:
        """Returns the lists in which work is announced; those for suspects only if we may."""
        kinds = ("w:",) if self._claimer.passed else ("w:", "ws:")
        return {
            shard: [f"{shard}{kind}{name}" for kind in kinds for name in names]
            for shard, names in self._grouped(queues).items()
        }

    def _grouped(self, queues: Sequence[str]) -> dict[str, list[str]]:
        grouped: dict[str, list[str]] = {}
        for name in queues:
            grouped.setdefault(self._engine.shard(name), []).append(name)
        return grouped

    # Leases

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        """Renews leases for ``lease`` seconds from now."""
        return await self._storage.extend(held, lease)

    async def holds(self, worker: str) -> list[Held]:
        """Lists all that ``worker`` holds."""
        return await holds(self._engine, worker)

    async def blame(self, held: Held, lost: int) -> None:
        """Sets how many losses count against a task that is held."""
        shard = self._engine.shard(held.queue)
        await self._engine.run("blame", shard, held.id, str(held.token), lost)

    async def sweep(self, limit: int = 100) -> Swept:
        """Does one round of housekeeping, each kind at most ``limit`` times in each shard."""
        return await sweep(self._engine, limit)

    async def expire(self, worker: str) -> int:
        """Takes back at once all that ``worker`` holds; returns how many."""
        return await expire(self._engine, worker)

    # Queues

    async def stats(self, queue: str) -> QueueStats:
        """Counts the tasks of a queue by state."""
        return await self._storage.stats(queue)

    async def queues(self) -> list[str]:
        """Lists the names of all queues that were ever published to, sorted."""
        return await self._engine.queues()

    async def pause(self, queue: str) -> None:
        """Stops claims from a queue."""
        await self._engine.run("pause", self._engine.shard(queue), queue, True)  # noqa: FBT003 - see publish

    async def resume(self, queue: str) -> None:
        """Allows claims from a paused queue again."""
        await self._engine.run("pause", self._engine.shard(queue), queue, False)  # noqa: FBT003 - see publish

    async def purge(self, queue: str) -> int:
        """Removes the tasks that wait now, in steps that let others in between."""
        stats = await self.stats(queue)
        waiting, removed = stats.ready + stats.delayed, 0
        while removed < waiting:
            step = min(_PURGE_STEP, waiting - removed)
            count = await self._engine.run("purge", self._engine.shard(queue), queue, step)
            if not count:
                break
            removed += count
        return removed

    async def flush(self) -> None:
        """Removes everything under the prefix of the URL."""
        await self._storage.flush()

    # Workers

    async def report(self, presence: Presence, ttl: float) -> None:
        """Notes that a worker is alive for the next ``ttl`` seconds; 0 removes it."""
        packed = packing.encode(presence)
        main = self._engine.main
        await self._engine.run("report", main, presence.worker, micros(ttl), blobs=[packed])

    async def workers(self) -> list[Presence]:
        """Lists the workers that reported themselves and whose time has not run out."""
        reports = await self._engine.repeat("workers", self._engine.main)
        return [presence for report in reports if (presence := _presence(report)) is not None]


def _presence(report: bytes | None) -> Presence | None:
    """Reads a report; None if it is gone, or somebody damaged it."""
    try:
        return None if report is None else _decode_presence(report)
    except UNREADABLE:
        return None
