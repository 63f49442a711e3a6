"""A broker as one process sees it: every call goes over the network, and the oracle hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from qtasks.contracts.broker import BaseBroker
from qtasks.schemas import Capabilities, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from qtasks.adapters.memory import MemoryBroker
    from qtasks.contracts.storage import BaseStorage
    from qtasks.schemas import (
        Claim,
        Delivery,
        Extension,
        Held,
        Message,
        Presence,
        QueueStats,
        Receipt,
        Settlement,
        Swept,
    )
    from simulation.network import Network
    from simulation.oracle import Oracle
    from simulation.virtual import Process

__all__ = ["Link"]

T = TypeVar("T")


class Link(BaseBroker):
    """Has no blocking twin, so that the keeper runs on the loop, where time is virtual.

    Args:
        process: whose it is.
        inner: carries out what arrives.
        network: the way there.
        oracle: hears of it.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(blocking=False)

    def __init__(
        self, process: Process, inner: MemoryBroker, network: Network, oracle: Oracle
    ) -> None:
        super().__init__("memory://")
        self.process = process
        self.inner = inner
        self.network = network
        self.oracle = oracle

    @property
    def storage(self) -> BaseStorage:
        """The records, which the tasks of a simulation leave alone."""
        return self.inner.storage

    def client(self) -> Self | None:
        """Returns None."""
        return None

    async def ask(
        self,
        name: str,
        carry_out: Callable[[], Coroutine[Any, Any, T]],
        note: Callable[[T], None] | None = None,
        touched: Iterable[str] = (),
    ) -> T:
        """Sends a call, and has the records compared when it was carried out."""

        def check(answer: T) -> None:
            self.oracle.model.now = self.oracle.now()
            if note is not None:
                note(answer)
            self.oracle.look(touched)

        return await self.network.send(self.process, name, carry_out, check)

    async def start(self) -> None:
        """Connects."""
        await self.ask("start", self.inner.start)

    async def stop(self) -> None:
        """Disconnects."""

    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        """See the contract; so do the others."""
        return await self.ask(
            "publish",
            lambda: self.inner.publish(messages),
            lambda receipts: self.oracle.published(messages, receipts),
            [message.id for message in messages],
        )

    async def claim(self, request: Claim) -> list[Delivery]:
        """Claims alone, which the pump never does."""
        return list((await self.exchange((), request)).deliveries)

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        """Settles alone, which the pump never does."""
        return await self.ask(
            "settle",
            lambda: self.inner.settle(settlements),
            lambda refused: self.oracle.settled(settlements, refused),
            [settlement.id for settlement in settlements],
        )

    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        """Settles and claims in one call."""
        touched = [settlement.id for settlement in settlements]

        def note(answer: Exchange) -> None:
            self.oracle.settled(settlements, answer.refused)
            self.oracle.claimed(request, answer.deliveries)
            touched.extend(delivery.id for delivery in answer.deliveries)

        return await self.ask(
            "exchange", lambda: self.inner.exchange(settlements, request), note, touched
        )

    async def ready(self, queues: Sequence[str], timeout: float) -> bool:
        """Waits at the broker; a fault ends it early, with an error."""
        call, fault = self.network.fault(self.process, "ready")
        if fault is not None:
            await self.network.refuse(self.process, f"{call}: {fault.kind}")
        return await self.inner.ready(queues, timeout)

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        """Renews leases."""
        return await self.ask(
            "extend",
            lambda: self.inner.extend(held, lease),
            lambda answer: self.oracle.extended(held, lease, answer),
            [one.id for one in held],
        )

    async def sweep(self, limit: int = 100) -> Swept:
        """Does the housekeeping."""
        return await self.ask("sweep", lambda: self.inner.sweep(limit), self.oracle.swept)

    async def expire(self, worker: str) -> int:
        """Takes back what a dead worker holds."""
        return await self.ask(
            "expire",
            lambda: self.inner.expire(worker),
            lambda count: self.oracle.expired(worker, count),
        )

    async def cancel(self, task_id: str, reason: str) -> None:
        """Cancels a task."""
        await self.ask(
            "cancel",
            lambda: self.inner.storage.cancel([task_id], reason),
            lambda answers: self.oracle.cancelled(answers, reason),
            [task_id],
        )

    async def requeue(self, task_id: str) -> None:
        """Sends a dead letter back."""
        await self.ask(
            "requeue",
            lambda: self.inner.storage.requeue([task_id]),
            lambda moved: self.oracle.requeued([task_id], moved),
            [task_id],
        )

    async def pause(self, queue: str) -> None:
        """Pauses a queue."""
        paused = self.oracle.model.paused
        await self.ask("pause", lambda: self.inner.pause(queue), lambda _: paused.add(queue))

    async def resume(self, queue: str) -> None:
        """Resumes it."""
        paused = self.oracle.model.paused
        await self.ask("resume", lambda: self.inner.resume(queue), lambda _: paused.discard(queue))

    async def report(self, presence: Presence, ttl: float) -> None:
        """Reports that a worker is alive."""
        await self.ask("report", lambda: self.inner.report(presence, ttl))

    async def stats(self, queue: str) -> QueueStats:
        """Counts tasks."""
        return await self.ask("stats", lambda: self.inner.stats(queue))

    async def queues(self) -> list[str]:
        """Lists the queues."""
        return await self.ask("queues", self.inner.queues)

    async def workers(self) -> list[Presence]:
        """Lists the workers."""
        return await self.ask("workers", self.inner.workers)

    async def purge(self, queue: str) -> int:
        """Empties a queue, which happens in no simulation: I1 would not hold."""
        return await self.inner.purge(queue)

    async def flush(self) -> None:
        """Removes everything, which happens in no simulation."""
        await self.inner.flush()
