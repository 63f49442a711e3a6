"""A broker whose messages and results are signed.

It stands in front of any broker, in both colours, and changes bytes only: messages get a signature
on their way out, and deliveries lose it, or are marked as malformed, on their way in. Headers are
signed apart from the rest, because outcomes may change them when the rest is not at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import msgspec

from qtasks._core.signing.forwarding import forwards
from qtasks._core.signing.seals import Seals, SignatureRefusedError
from qtasks._core.signing.storage import SignedStorage, seal_message, seal_settlement
from qtasks.contracts.broker import BaseBroker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.contracts.keys import Keys
    from qtasks.contracts.storage import BaseStorage
    from qtasks.schemas import (
        Claim,
        Delivery,
        Exchange,
        Message,
        Receipt,
        Retention,
        Settlement,
    )

__all__ = ["SignedBroker", "sign"]


@forwards(BaseBroker)
class SignedBroker(BaseBroker):
    """Signs what goes to a broker, and checks what comes from it.

    Args:
        inner: the broker.
        seals: how it is signed.

    Attributes:
        inner: likewise.
    """

    def __init__(self, inner: BaseBroker, seals: Seals) -> None:
        self.inner = inner
        self._seals = seals
        super().__init__(inner.url)
        self._storage: BaseStorage | None = None
        # An instance's own value: that of the broker behind it.
        self.capabilities = inner.capabilities  # type: ignore[misc]  # see above

    if not TYPE_CHECKING:  # a property in the place of the contract's attribute

        @property
        def retention(self) -> Retention:
            """How long the broker behind it keeps what it ends by itself."""
            return self.inner.retention

        @retention.setter
        def retention(self, retention: Retention) -> None:
            # The contract's constructor sets a default, which must not replace what was set.
            if hasattr(self, "_storage"):
                self.inner.retention = retention

    @property
    def storage(self) -> BaseStorage | None:
        """The storage of the broker behind it, with signed results."""
        storage = self.inner.storage
        if storage is None:
            return None
        if self._storage is None:
            self._storage = SignedStorage(storage, self._seals)  # type: ignore[abstract]  # forwards() fills in the rest
        return self._storage

    def client(self) -> Self | None:
        """Returns a blocking twin that signs too."""
        twin = self.inner.client()
        return None if twin is None else type(self)(twin, self._seals)

    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        """Signs messages and queues them."""
        return await self.inner.publish([seal_message(self._seals, each) for each in messages])

    async def claim(self, request: Claim) -> list[Delivery]:
        """Claims; what is not signed as it should be is marked as malformed."""
        return [self._opened(delivery) for delivery in await self.inner.claim(request)]

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        """Signs results and changed headers, and writes the outcomes."""
        return await self.inner.settle([seal_settlement(self._seals, s) for s in settlements])

    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        """Settles and claims, in one round trip where the broker behind it can."""
        sealed = [seal_settlement(self._seals, settlement) for settlement in settlements]
        answer = await self.inner.exchange(sealed, request)
        opened = tuple(self._opened(delivery) for delivery in answer.deliveries)
        return msgspec.structs.replace(answer, deliveries=opened)

    def _opened(self, delivery: Delivery) -> Delivery:
        if delivery.malformed is not None:
            return delivery
        message = delivery.message
        changes: dict[str, Any]
        try:
            changes = {
                "payload": self._seals.open(
                    b"message", message.payload, message.id, message.task, message.queue
                ),
                "headers": self._seals.open_headers(message.headers, message.id),
            }
        except SignatureRefusedError as error:
            return msgspec.structs.replace(delivery, malformed=str(error))
        opened = msgspec.structs.replace(message, **changes)
        return msgspec.structs.replace(delivery, message=opened)


def sign(broker: BaseBroker, keys: Keys) -> BaseBroker:
    """Returns a broker in front of another one that signs with these keys, and checks."""
    return SignedBroker(broker, Seals(keys))  # type: ignore[abstract]  # forwards() fills in the rest
