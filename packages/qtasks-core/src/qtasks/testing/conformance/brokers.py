"""The words in which the tests of brokers are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.schemas import Claim, Delivery
from qtasks.testing.conformance.base import FOREVER, Conformance

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker

__all__ = ["Brokers"]


class Brokers(Conformance):
    """The frame of the broker's groups."""

    async def claim(
        self,
        broker: BaseBroker,
        limit: int = 1,
        *,
        queue: str | None = None,
        lease: float = FOREVER,
        worker: str = "w1",
        suspects: int = 1,
    ) -> list[Delivery]:
        """Claims from one queue, by default from that of the suite."""
        queues = (self.QUEUE if queue is None else queue,)
        return await broker.claim(Claim(queues, limit, lease, worker, suspects))

    async def one(self, broker: BaseBroker, **options: Any) -> Delivery:
        """Claims the one task that is due."""
        deliveries = await self.claim(broker, **options)
        assert len(deliveries) == 1, "a task should have been handed out"
        return deliveries[0]

    def request(self, limit: int) -> Claim:
        """Returns a claim from the suite's queue."""
        return Claim((self.QUEUE,), limit, FOREVER, "w1")

    async def ids(self, broker: BaseBroker, limit: int = 100, *, suspects: int = 1) -> list[str]:
        """Claims and returns the ids."""
        return [delivery.id for delivery in await self.claim(broker, limit, suspects=suspects)]
