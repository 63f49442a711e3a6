"""The broker: moves messages and owns leases.

Batch first: every call takes or returns many tasks, so that a busy worker pays a fraction of a
round trip for each. All times are the broker's own; a worker's clock decides nothing.

A broker whose server also keeps the records offers them as :attr:`BaseBroker.storage`; then
``publish`` writes record and queue in one step and ``settle`` writes outcome, record and queue
in one step. Otherwise the engine combines it with a storage elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

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

    from qtasks.contracts.storage import BaseStorage

__all__ = ["BaseBroker"]


class BaseBroker(ABC):
    """The contract of every broker; ``qtasks.testing.conformance`` is its executable form.

    Errors of the driver never leave a broker: a passing trouble is raised as
    :class:`~qtasks.exc.ServerUnavailableError`, anything else as
    :class:`~qtasks.exc.ServerError`.

    Attributes:
        url: where the server is, as the user gave it.
        capabilities: what it can do.
        retention: how long it keeps what it ends by itself; the app sets it, twins inherit it.
    """

    capabilities: ClassVar[Capabilities] = Capabilities()

    def __init__(self, url: str) -> None:
        self.url = url
        self.retention = Retention()

    @property
    def storage(self) -> BaseStorage | None:
        """The storage on the same server, written in the same step; None if there is none."""
        return None

    @abstractmethod
    async def start(self) -> None:
        """Connects; calling it again is harmless.

        Raises:
            ServerUnavailableError: the server cannot be reached.
            ConfigError: the URL or the server's version cannot be used.
        """

    @abstractmethod
    async def stop(self) -> None:
        """Disconnects; calling it again, or before ``start``, is harmless."""

    @abstractmethod
    def client(self) -> Self | None:
        """Returns a blocking twin with a connection of its own, or None if the driver has none.

        The twin's coroutines block the calling thread and never suspend, so that one
        ``send(None)`` completes them. It may be used from any thread, and after a fork it opens
        its connection anew. The synchronous façade and the keeper thread work through twins.
        """

    @abstractmethod
    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        """Queues messages, all or none, and returns one receipt each, in order.

        A message whose id is known changes nothing, so a retried call never doubles a task.

        Raises:
            ServerError: nothing was acknowledged; the same call may be sent again. A broker whose
                records are elsewhere names in ``refused`` what its server certainly does not
                have; those records are taken back.
        """

    @abstractmethod
    async def claim(self, request: Claim) -> list[Delivery]:
        """Hands out due messages at once, possibly none; it never waits.

        By priority, then in the order they became due; a given-back message comes before the
        others of its priority. Every delivery gets a token larger than any before it for that
        task. At most ``request.suspects`` of them are suspects. Paused queues give nothing.
        """

    @abstractmethod
    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        """Writes outcomes, acknowledges and reschedules; returns the ids it refused.

        A settlement is refused when a newer token exists or the lease was taken back; then
        nothing is written for it. A settlement that was already applied is not refused, so the
        whole call may be repeated after a lost reply.
        """

    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        """Settles and claims; a broker that can do both in one round trip overrides this.

        With ``capabilities.overlap`` a worker may call it while another call of it is under way.
        """
        refused = await self.settle(settlements) if settlements else []
        deliveries = await self.claim(request) if request.limit > 0 else []
        return Exchange(tuple(refused), tuple(deliveries))

    @abstractmethod
    async def ready(self, queues: Sequence[str], timeout: float) -> bool:
        """Waits until a claim from ``queues`` may find something, at most ``timeout`` seconds.

        Returns True if it may, False when the time ran out; a needless True is allowed. It must
        be safe to cancel. An idle worker spends its time here, so it costs next to nothing.
        """

    @abstractmethod
    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        """Renews leases for ``lease`` seconds from now, each only if its token is the newest.

        Must never take back a delivery that has another holder by now.
        """

    async def holds(self, worker: str) -> list[Held]:
        """Lists all that ``worker`` holds, also what it has not been told of yet.

        Asked by a keeper while the answer to a claim is on its way for long: code that blocks the
        loop keeps the worker from reading it, and the leases in it run all the same. A broker that
        cannot tell returns an empty list; then they run out, and the tasks go to another worker.
        """
        del worker
        return []

    async def blame(self, held: Held, lost: int) -> None:
        """Sets how many consecutive losses count against a task, if the token is the newest.

        A worker that has been handed a suspect on its last chance, and still runs others, asks
        for one less until it starts that task: to be lost while it waits is no sign of guilt. A
        broker that does nothing here convicts such a task all the same.
        """
        del held, lost

    @abstractmethod
    async def sweep(self, limit: int = 100) -> Swept:
        """Takes back expired leases, convicts, cancels expired tasks and drops old records.

        Each kind at most ``limit`` times. A delivery taken back counts as lost and is due at
        once, before the others of its priority; the third consecutive loss convicts the task:
        status ``error``, reason ``worker_lost``. Taking back makes the old token stale. Of more
        dead letters in a queue than :attr:`retention` allows, the oldest are dropped; how many,
        and how many went because of their age, is in ``QueueStats.dropped``.

        Tell in ``next_lease_end`` when the earliest lease ends: workers sweep again just then, so
        the tasks of a dead machine run again at once. Without it they wait for the next of the
        rounds that a worker makes every third of its lease.
        """

    @abstractmethod
    async def expire(self, worker: str) -> int:
        """Takes back at once all that ``worker`` holds, as if its leases had run out.

        For a supervisor that saw its child die. Returns how many deliveries that were.
        """

    @abstractmethod
    async def stats(self, queue: str) -> QueueStats:
        """Counts the tasks of a queue by state."""

    @abstractmethod
    async def queues(self) -> list[str]:
        """Lists the names of all queues that were ever published to, sorted."""

    @abstractmethod
    async def pause(self, queue: str) -> None:
        """Stops claims from a queue; publishing and settling go on."""

    @abstractmethod
    async def resume(self, queue: str) -> None:
        """Allows claims from a paused queue again."""

    @abstractmethod
    async def purge(self, queue: str) -> int:
        """Removes all waiting tasks of a queue, delayed ones included; returns how many."""

    @abstractmethod
    async def flush(self) -> None:
        """Removes everything this broker stores, in its own namespace only."""

    @abstractmethod
    async def report(self, presence: Presence, ttl: float) -> None:
        """Notes that a worker is alive for the next ``ttl`` seconds; 0 removes it."""

    @abstractmethod
    async def workers(self) -> list[Presence]:
        """Lists the workers that reported themselves and whose time has not run out."""

    async def diagnose(self) -> list[Finding]:
        """Says what a look at the server tells about its fitness; empty if nothing is known.

        ``qtasks doctor`` asks it of a broker that is started. A broker whose server keeps the
        records too speaks for both, once. It only reads, answers within seconds however much is
        stored, and shows no secret: no password, no arguments of tasks. What it may not ask, for
        lack of permission, is a finding and no error. Worth telling are the server's kind and
        version, whether tasks survive its restart, whether it may drop some, who can reach it.

        Raises:
            ServerError: the server did not answer.
        """
        return []
