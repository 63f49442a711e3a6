"""The broker on a SQLite file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from qtasks.adapters.sqlite import housekeeping, queues, renew
from qtasks.adapters.sqlite import publish as publishing
from qtasks.adapters.sqlite import settle as settling
from qtasks.adapters.sqlite.claim import claim
from qtasks.adapters.sqlite.engine import Engine
from qtasks.adapters.sqlite.storage import SqliteStorage
from qtasks.contracts.broker import BaseBroker
from qtasks.schemas import (
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
    Release,
    Retention,
    Settlement,
    Swept,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from qtasks.adapters.sqlite.database import Write
    from qtasks.adapters.sqlite.unit import Unit
    from qtasks.typing import Clock

__all__ = ["SqliteBroker"]

#: Tasks that one transaction of a purge removes, so that others can write in between.
_PURGE_STEP: Final = 2000


#: What a claim took, and how many suspects it passed over.
_Taken: TypeAlias = tuple[list[Delivery], int]


class SqliteBroker(BaseBroker):
    """Keeps queues and records in one SQLite file on this machine, for tens of processes.

    With ``durability=process``, the default, an acknowledged write survives the death of any
    process; a loss of power may take the last moments. With ``durability=power`` it survives both,
    at the price of a sync for every transaction.

    Args:
        url: ``sqlite:///relative.db`` or ``sqlite:////absolute.db``, with ``?durability=`` if
            wanted.
        clock: tells the time; None for the machine's clock.

    Raises:
        ConfigError: the URL cannot be used.
    """

    def __init__(self, url: str = "sqlite:///qtasks.db", *, clock: Clock | None = None) -> None:
        self._join(Engine(url, clock))
        super().__init__(url)

    def _join(self, engine: Engine) -> None:
        """Works on an engine, together with a storage."""
        self._engine = engine
        self._storage = SqliteStorage.over(engine)
        self._passed_over: tuple[tuple[str, ...], int] = ((), 0)

    @property
    def retention(self) -> Retention:
        """How long it keeps what it ends by itself; the storage shares it."""
        return self._engine.retention

    @retention.setter
    def retention(self, retention: Retention) -> None:
        self._engine.retention = retention

    @property
    def storage(self) -> SqliteStorage:
        """The storage in the same file."""
        return self._storage

    # Life

    async def start(self) -> None:
        """Opens the file, and creates it or brings it up to date if need be.

        Raises:
            ConfigError: the path cannot be used, or the file is not ours or too new.
            ServerUnavailableError: other processes hold it for too long.
            ServerError: the file is damaged.
        """
        await self._engine.start("broker")

    async def stop(self) -> None:
        """Closes the file, unless the storage was started apart."""
        await self._engine.stop("broker")

    def client(self) -> Self:
        """Returns a blocking twin with connections of its own."""
        twin = type(self)(self.url)
        twin._join(self._engine.twin())  # noqa: SLF001 - it is one of us
        return twin

    # Messages

    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        """Queues messages in one transaction."""
        return await self._engine.write(
            partial(publishing.publish, messages=messages, replaced_ttl=self.retention.result_ttl)
        )

    async def claim(self, request: Claim) -> list[Delivery]:
        """Hands out due messages; if the caller is cancelled meanwhile, they go back at once."""

        def take(unit: Unit) -> _Taken:
            return _take(unit, request)

        deliveries, passed_over = await self._engine.write(take, lambda taken: _give_back(taken[0]))
        self._passed_over = (request.queues, passed_over)
        return deliveries

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        """Writes outcomes in one transaction."""
        self._passed_over = ((), 0)
        return await self._engine.write(partial(settling.settle, settlements=settlements))

    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        """Settles and claims in one transaction; see :meth:`claim` for a cancelled caller."""

        def both(unit: Unit) -> tuple[list[str], _Taken]:
            return settling.settle(unit, settlements), _take(unit, request)

        refused, (deliveries, passed_over) = await self._engine.write(
            both, lambda done: _give_back(done[1][0])
        )
        self._passed_over = (request.queues, passed_over)
        return Exchange(tuple(refused), tuple(deliveries))

    async def ready(self, queues: Sequence[str], timeout: float) -> bool:
        """Waits for something to claim.

        Suspects that the last claim left to other workers do not count: this one would wake up for
        them again and again, and must not have them.
        """
        names, passed_over = self._passed_over
        ignored = passed_over if names == tuple(queues) else 0
        return await self._engine.ready(queues, timeout, ignored)

    # Leases

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        """Renews leases."""
        return await self._engine.write(partial(renew.extend, held=held, lease=lease))

    async def holds(self, worker: str) -> list[Held]:
        """Lists what a worker holds."""
        return await self._engine.read(partial(renew.holds, worker=worker))

    async def blame(self, held: Held, lost: int) -> None:
        """Sets how many losses count against a task that is held."""
        await self._engine.write(partial(renew.blame, held=held, lost=lost))

    async def sweep(self, limit: int = 100) -> Swept:
        """Does one round of housekeeping."""
        return await self._engine.write(
            partial(housekeeping.sweep, limit=limit, retention=self.retention)
        )

    async def expire(self, worker: str) -> int:
        """Takes back what a worker holds."""
        return await self._engine.write(
            partial(housekeeping.expire, worker=worker, retention=self.retention)
        )

    # Queues

    async def stats(self, queue: str) -> QueueStats:
        """Returns the counts of a queue; they are kept, not counted."""
        return await self._engine.read(partial(queues.stats, queue=queue))

    async def queues(self) -> list[str]:
        """Lists all queues that were ever published to."""
        return await self._engine.read(queues.names)

    async def pause(self, queue: str) -> None:
        """Stops claims from a queue."""
        await self._engine.write(partial(queues.pause, queue=queue, paused=True))

    async def resume(self, queue: str) -> None:
        """Allows claims again."""
        await self._engine.write(partial(queues.pause, queue=queue, paused=False))

    async def purge(self, queue: str) -> int:
        """Removes the tasks that wait now, in steps that let others write in between."""
        newest = await self._engine.read(queues.newest)
        removed = 0
        while True:
            step = await self._engine.write(
                partial(queues.purge_some, queue=queue, newest=newest, limit=_PURGE_STEP)
            )
            removed += step
            if step < _PURGE_STEP:
                return removed

    async def flush(self) -> None:
        """Removes everything in the file."""
        await self._engine.flush()

    # Workers

    async def report(self, presence: Presence, ttl: float) -> None:
        """Notes that a worker is alive."""
        await self._engine.write(partial(queues.report, presence=presence, ttl=ttl))

    async def workers(self) -> list[Presence]:
        """Lists the living workers."""
        return await self._engine.read(queues.workers)

    # A look at the file

    async def diagnose(self) -> list[Finding]:
        """Looks at SQLite, the file and its disk; the check of the whole file is a short one."""
        return await self._engine.diagnose()


def _take(unit: Unit, request: Claim) -> _Taken:
    """Claims; returns the deliveries, and how many suspects there were no use for."""
    deliveries = claim(unit, request)
    taken = sum(1 for delivery in deliveries if delivery.lost)
    if taken < request.suspects:
        return deliveries, 0
    return deliveries, queues.suspects(unit.conn, unit.now, request.queues)


def _give_back(deliveries: Sequence[Delivery]) -> Write[list[str]]:
    """Returns a job that releases deliveries which nobody got to see."""
    releases = [
        Settlement(delivery.id, delivery.token, Release(), receipt=delivery.receipt)
        for delivery in deliveries
    ]
    return partial(settling.settle, settlements=releases)
