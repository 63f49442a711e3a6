"""One way to drive both kinds of set-up, so that their rules are written once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from qtasks.schemas import (
    Claim,
    Delivery,
    Extension,
    Held,
    Message,
    Outcome,
    Receipt,
    Record,
    Retention,
    Settlement,
    Swept,
    TaskError,
)
from qtasks.testing.conformance.base import FOREVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.contracts.broker import BaseBroker
    from qtasks.contracts.storage import BaseStorage

__all__ = ["BROKEN", "JoinedLine", "Line", "SplitLine", "hold", "settlement"]

#: A failure, as the engine reports it.
BROKEN = TaskError("builtins.ValueError", "no such file", "Traceback ...")


def settlement(delivery: Delivery, outcome: Outcome, **changes: Any) -> Settlement:
    """Returns the settlement of a delivery; counts stay as they were unless they are given."""
    fields = {
        "id": delivery.id,
        "token": delivery.token,
        "outcome": outcome,
        "attempts": delivery.attempts,
        "snoozes": delivery.snoozes,
        "receipt": delivery.receipt,
        "ttl": FOREVER,
    }
    return Settlement(**{**fields, **changes})


def hold(delivery: Delivery) -> Held:
    """Returns what a worker sends to keep a delivery."""
    return Held(delivery.id, delivery.token, delivery.message.queue)


class Line(ABC):
    """Adds, takes and settles tasks.

    Args:
        storage: where the records are.
    """

    def __init__(self, storage: BaseStorage) -> None:
        self.storage = storage

    @abstractmethod
    async def add(self, *messages: Message) -> list[Receipt]:
        """Adds tasks."""

    @abstractmethod
    async def take(
        self, limit: int = 1, *, worker: str = "w1", lease: float = FOREVER
    ) -> list[Delivery]:
        """Hands out due tasks to a worker."""

    @abstractmethod
    async def settle(self, *settlements: Settlement) -> list[str]:
        """Writes outcomes; returns the refused ids."""

    @abstractmethod
    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        """Renews leases."""

    @abstractmethod
    async def sweep(self, limit: int = 100) -> Swept:
        """Does one round of housekeeping."""

    @abstractmethod
    def keep(self, retention: Retention) -> None:
        """Sets how long it keeps what it ends by itself."""

    async def one(self, *, worker: str = "w1", lease: float = FOREVER) -> Delivery:
        """Takes the one task that is due."""
        deliveries = await self.take(worker=worker, lease=lease)
        assert len(deliveries) == 1, "a task should have been handed out"
        return deliveries[0]

    async def end(self, delivery: Delivery, outcome: Outcome, **changes: Any) -> None:
        """Settles a delivery, which must be accepted."""
        assert await self.settle(settlement(delivery, outcome, **changes)) == []

    async def record(self, id_: str) -> Record:
        """Returns the record of a task, which must exist."""
        (record,) = await self.storage.get([id_])
        assert record is not None, "the task should have a record"
        return record

    async def gone(self, id_: str) -> bool:
        """Tells whether a task has no record."""
        return list(await self.storage.get([id_])) == [None]


class JoinedLine(Line):
    """A broker with a storage on the same server.

    Args:
        broker: the broker.
        storage: its storage.
        queue: the queue to take from.
    """

    def __init__(self, broker: BaseBroker, storage: BaseStorage, queue: str) -> None:
        super().__init__(storage)
        self.broker = broker
        self.queue = queue

    async def add(self, *messages: Message) -> list[Receipt]:
        """Publishes tasks."""
        return await self.broker.publish(messages)

    async def take(
        self, limit: int = 1, *, worker: str = "w1", lease: float = FOREVER
    ) -> list[Delivery]:
        """Claims due tasks."""
        return await self.broker.claim(Claim((self.queue,), limit, lease, worker, suspects=limit))

    async def settle(self, *settlements: Settlement) -> list[str]:
        """Writes outcomes; returns the refused ids."""
        return await self.broker.settle(settlements)

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        """Renews leases."""
        return await self.broker.extend(held, lease)

    async def sweep(self, limit: int = 100) -> Swept:
        """Does one round of housekeeping."""
        return await self.broker.sweep(limit)

    def keep(self, retention: Retention) -> None:
        """Sets how long both keep what they end by themselves."""
        self.broker.retention = retention
        self.storage.retention = retention


class SplitLine(Line):
    """A storage beside a broker elsewhere; the line plays that broker, and its engine.

    Args:
        storage: the storage.
    """

    def __init__(self, storage: BaseStorage) -> None:
        super().__init__(storage)
        self.elsewhere: list[Message] = []

    async def add(self, *messages: Message) -> list[Receipt]:
        """Writes records, then "publishes" what may run now and leaves the rest to the schedule."""
        receipts: list[Receipt] = []
        for message in messages:
            scheduled = message.delay > 0 or message.eta is not None
            (receipt,) = await self.storage.put([message], scheduled=scheduled)
            receipts.append(receipt)
            if receipt.created and not scheduled:
                self.elsewhere.append(message)
        return receipts

    async def take(
        self, limit: int = 1, *, worker: str = "w1", lease: float = FOREVER
    ) -> list[Delivery]:
        """Publishes what is due and begins what the broker delivers."""
        due = await self.storage.due(1000, FOREVER)
        await self.storage.dispatched([message.id for message in due])
        self.elsewhere += due
        taken: list[Delivery] = []
        while self.elsewhere and len(taken) < limit:
            delivery = Delivery(self.elsewhere.pop(0), token=0)
            begun = await self.storage.begin([delivery], worker, lease)
            taken += begun.deliveries
        return taken

    async def settle(self, *settlements: Settlement) -> list[str]:
        """Writes outcomes; returns the refused ids."""
        return list(await self.storage.finish(settlements))

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        """Renews leases."""
        return await self.storage.extend(held, lease)

    async def sweep(self, limit: int = 100) -> Swept:
        """Does one round of housekeeping."""
        return await self.storage.sweep(limit)

    def keep(self, retention: Retention) -> None:
        """Sets how long it keeps what it ends by itself."""
        self.storage.retention = retention
