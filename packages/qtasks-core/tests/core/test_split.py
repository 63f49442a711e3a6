"""A broker and a storage that are not one server: what happens between their two steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks._core.split import SplitBroker
from qtasks.adapters.memory import MemoryBroker, MemoryStorage
from qtasks.schemas import Claim, Delivery, Message, Retry, Success
from qtasks.testing.clock import FakeClock
from qtasks.testing.conformance.lines import settlement

if TYPE_CHECKING:
    from collections.abc import Sequence

MESSAGE = Message("00000000-0000-7000-8000-000000000001", "t", "q", b"payload")
CLAIM = Claim(("q",), 10, 60.0, "w")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def inner(clock: FakeClock) -> MemoryBroker:
    return MemoryBroker(clock=clock)


@pytest.fixture
def storage(clock: FakeClock) -> MemoryStorage:
    return MemoryStorage(clock=clock)


async def claimed(split: SplitBroker) -> Sequence[Delivery]:
    return await split.claim(CLAIM)


async def settle_around_a_sweep(
    one: SplitBroker, other: SplitBroker, inner: MemoryBroker, storage: MemoryStorage
) -> None:
    """Lets ``other`` see that a retry is due between the two halves of its settlement."""
    await one.publish([MESSAGE])
    (delivery,) = await claimed(one)
    assert await storage.finish([settlement(delivery, Retry(), attempts=1)]) == []
    await other.sweep()
    (held,) = one._held.values()
    await inner.settle([settlement(held, Success(), ttl=0.0)])


async def test_a_retry_that_is_due_before_its_message_is_acknowledged_runs_again(
    inner: MemoryBroker, storage: MemoryStorage, clock: FakeClock
) -> None:
    one, other = SplitBroker(inner, storage, clock), SplitBroker(inner, storage, clock)
    await settle_around_a_sweep(one, other, inner, storage)

    clock.advance(1)
    (again,) = await claimed(other)
    assert (again.id, again.attempts) == (MESSAGE.id, 1)
    assert await other.settle([settlement(again, Success())]) == []
    clock.advance(60)
    assert await claimed(other) == []
    assert (await other.stats("q")).ready == 0


async def test_a_worker_that_dies_with_such_a_retry_leaves_it_to_the_schedule(
    inner: MemoryBroker, storage: MemoryStorage, clock: FakeClock
) -> None:
    one, other = SplitBroker(inner, storage, clock), SplitBroker(inner, storage, clock)
    await settle_around_a_sweep(one, other, inner, storage)

    third = SplitBroker(inner, storage, clock)
    clock.advance(31)
    assert [delivery.id for delivery in await claimed(third)] == [MESSAGE.id]
