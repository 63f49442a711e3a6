"""What becomes of records whose messages a broker elsewhere did not acknowledge."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from qtasks.exc import ServerError
from qtasks.schemas import Cancel, Delivery, Release, Settlement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.contracts.storage import BaseStorage
    from qtasks.schemas import Message, Outcome

__all__ = ["settle_refusal"]

#: How the leases that this takes name their holder, and seconds until one of them runs out.
_HOLDER: Final = "client"
_LEASE: Final = 15.0


async def settle_refusal(
    storage: BaseStorage, messages: Sequence[Message], error: ServerError
) -> None:
    """Deals with new records whose messages were not acknowledged.

    What the broker certainly does not have is removed: nobody would ever run it. Of the rest it
    is not known. Who adds such a task again does so with its id, and it is published again; but
    with a unique key the record stands in the way of the next, so it is put on the schedule, which
    publishes it again. All others stay as they are. A storage that fails too leaves all of them.

    Args:
        storage: has the records.
        messages: what was to be published, of which this call wrote the records.
        error: how the broker failed.
    """
    refused = [one for one in messages if one.id in error.refused]
    unsure = [one for one in messages if one.id not in error.refused and one.unique_key is not None]
    with contextlib.suppress(ServerError):
        await _end(storage, refused, Cancel("refused"), 0.0)
        await _end(storage, unsure, Release(), _LEASE)


async def _end(
    storage: BaseStorage, messages: Sequence[Message], outcome: Outcome, ttl: float
) -> None:
    if not messages:
        return
    begun = await storage.begin([Delivery(one, token=0) for one in messages], _HOLDER, _LEASE)
    await storage.finish(
        [Settlement(one.id, one.token, outcome, ttl=ttl) for one in begun.deliveries]
    )
