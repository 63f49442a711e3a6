"""The broker in memory."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, ClassVar, Self

from qtasks.adapters.memory import leases, records, settling
from qtasks.adapters.memory.server import MemoryServer, serve
from qtasks.adapters.memory.storage import MemoryStorage
from qtasks.adapters.memory.waiting import LoopWaiter, ThreadWaiter, wait_for
from qtasks.contracts.broker import BaseBroker
from qtasks.contracts.clock import SystemClock
from qtasks.schemas import Capabilities, Retention

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.schemas import (
        Claim,
        Delivery,
        Extension,
        Finding,
        Held,
        Message,
        Presence,
        QueueStats,
        Receipt,
        Settlement,
        Swept,
    )
    from qtasks.typing import Clock

__all__ = ["MemoryBroker"]


class MemoryBroker(BaseBroker):
    """Queues tasks in this process; thread-safe, for any number of loops. Nothing survives it.

    ``memory://`` is private to the object, its twins and its storage; ``memory://name`` is
    shared by all brokers and storages of that name in the process.

    Args:
        url: ``memory://`` or ``memory://name``.
        clock: where the time comes from; the machine's clock by default.
        server: where to keep the tasks, instead of what the URL says.
        blocking: whether this is a twin that blocks the calling thread.

    Raises:
        ConfigError: the URL is not of this kind.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        processes=False, durable=False, overlap=True
    )

    def __init__(
        self,
        url: str = "memory://",
        *,
        clock: Clock | None = None,
        server: MemoryServer | None = None,
        blocking: bool = False,
    ) -> None:
        self._clock = clock or SystemClock()
        self._server = server or serve(url)
        self._blocking = blocking
        self._storage = MemoryStorage(
            url, clock=self._clock, server=self._server, blocking=blocking
        )
        super().__init__(url)

    @property
    def storage(self) -> MemoryStorage:
        """The storage of the same records."""
        return self._storage

    @property
    def retention(self) -> Retention:
        """How long it keeps what it ends by itself; the same for its storage."""
        return self._storage.retention

    @retention.setter
    def retention(self, retention: Retention) -> None:
        self._storage.retention = retention

    async def start(self) -> None:
        """Does nothing: there is nothing to connect to."""

    async def stop(self) -> None:
        """Does nothing; what is stored stays."""

    def client(self) -> Self:
        """Returns a twin that blocks the calling thread."""
        twin = type(self)(self.url, clock=self._clock, server=self._server, blocking=True)
        twin.retention = self.retention
        return twin

    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        """Queues messages, all or none, and returns one receipt each, in order."""
        with self._server.lock:
            return self._server.store.publish(
                messages, self._clock.time(), replaced_ttl=self.retention.result_ttl
            )

    async def claim(self, request: Claim) -> list[Delivery]:
        """Hands out due messages at once, possibly none."""
        with self._server.lock:
            return self._server.store.claim(request, self._clock.time(), self.retention)

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        """Writes outcomes; returns the ids it refused."""
        with self._server.lock:
            return settling.settle(self._server.store, settlements, self._clock.time())

    async def ready(self, queues: Sequence[str], timeout: float) -> bool:
        """Waits until a claim may find something, at most ``timeout`` seconds."""
        server = self._server

        def look() -> tuple[bool | None, float]:
            now = self._clock.time()
            next_due = server.store.next_due(queues, now)
            return (True, inf) if next_due <= now else (None, next_due - now)

        waiter = ThreadWaiter() if self._blocking else LoopWaiter(self._clock)
        topics = dict.fromkeys(queues)
        return bool(
            await wait_for(
                look,
                topics=topics,
                bells=server.ready_bells,
                lock=server.lock,
                waiter=waiter,
                seconds=timeout,
            )
        )

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        """Renews leases for ``lease`` seconds from now."""
        with self._server.lock:
            return leases.extend(self._server.store, held, lease, self._clock.time())

    async def holds(self, worker: str) -> list[Held]:
        """Lists all that ``worker`` holds."""
        with self._server.lock:
            return leases.holds(self._server.store, worker)

    async def blame(self, held: Held, lost: int) -> None:
        """Sets how many losses count against a task that is held."""
        with self._server.lock:
            leases.blame(self._server.store, held, lost)

    async def sweep(self, limit: int = 100) -> Swept:
        """Does one round of housekeeping, each kind at most ``limit`` times."""
        with self._server.lock:
            return self._server.sweep(limit, self._clock.time(), self.retention)

    async def expire(self, worker: str) -> int:
        """Takes back at once all that ``worker`` holds; returns how many."""
        with self._server.lock:
            return leases.expire(self._server.store, worker, self._clock.time(), self.retention)

    async def stats(self, queue: str) -> QueueStats:
        """Counts the tasks of a queue by state."""
        with self._server.lock:
            return records.stats(self._server.store, queue, self._clock.time())

    async def queues(self) -> list[str]:
        """Lists the names of all queues that were ever published to, sorted."""
        with self._server.lock:
            return sorted(self._server.store.queues)

    async def pause(self, queue: str) -> None:
        """Stops claims from a queue."""
        with self._server.lock:
            self._server.store.paused.add(queue)

    async def resume(self, queue: str) -> None:
        """Allows claims from a paused queue again."""
        with self._server.lock:
            self._server.store.paused.discard(queue)
            self._server.ready_bells.ring(queue)

    async def purge(self, queue: str) -> int:
        """Removes all waiting tasks of a queue with their records; returns how many."""
        with self._server.lock:
            return self._server.store.purge(queue)

    async def flush(self) -> None:
        """Removes everything on this server, what its storage keeps included."""
        with self._server.lock:
            self._server.flush()

    async def report(self, presence: Presence, ttl: float) -> None:
        """Notes that a worker is alive for the next ``ttl`` seconds; 0 removes it."""
        with self._server.lock:
            self._server.presences[presence.worker] = (presence, self._clock.time() + ttl)
            self._server.forget_absent(self._clock.time())

    async def workers(self) -> list[Presence]:
        """Lists the workers that reported themselves and whose time has not run out."""
        with self._server.lock:
            self._server.forget_absent(self._clock.time())
            return [presence for presence, _ in self._server.presences.values()]

    async def diagnose(self) -> list[Finding]:
        """Says that nothing of this lasts."""
        return self._server.diagnose()
