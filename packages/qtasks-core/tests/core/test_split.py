"""A broker and a storage that are not one server: what happens between their two steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pytest

from qtasks._core.split import SplitBroker
from qtasks.adapters.memory import MemoryBroker, MemoryStorage
from qtasks.schemas import Capabilities, Claim, Delivery, Message, Retry, Settlement, Success
from qtasks.testing.clock import FakeClock
from qtasks.testing.conformance.lines import hold, settlement

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
    ((_, held),) = one._held.values()
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


class Log(MemoryBroker):
    """A broker that delivers what it is given, and notes what it hears of it."""

    capabilities: ClassVar[Capabilities] = Capabilities(purge=False, delay=False)

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.coming: list[Delivery] = []
        self.heard: list[tuple[object, str]] = []

    def copy(self, receipt: object, **fields: Any) -> None:
        self.coming.append(Delivery(MESSAGE, 0, receipt=receipt, **fields))

    async def claim(self, request: Claim) -> list[Delivery]:
        coming = self.coming[: request.limit]
        del self.coming[: request.limit]
        return coming

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        self.heard += [(s.receipt, type(s.outcome).__name__) for s in settlements]
        return []


@pytest.fixture
def journal(clock: FakeClock) -> Log:
    return Log(clock)


@pytest.fixture
def split(journal: Log, storage: MemoryStorage, clock: FakeClock) -> SplitBroker:
    return SplitBroker(journal, storage, clock)


async def test_of_two_copies_in_one_claim_each_is_answered(
    split: SplitBroker, journal: Log
) -> None:
    journal.copy("first")
    journal.copy("second")
    (delivery,) = await claimed(split)
    assert delivery.receipt == "first"
    assert journal.heard == [("second", "Release")]
    await split.settle([settlement(delivery, Success())])
    assert journal.heard[1:] == [("first", "Success")]
    journal.copy("second")
    assert await claimed(split) == []
    assert journal.heard[2:] == [("second", "Success")]


async def test_what_was_lost_is_acknowledged(
    split: SplitBroker, journal: Log, storage: MemoryStorage, clock: FakeClock
) -> None:
    journal.copy("first")
    (delivery,) = await claimed(split)
    clock.advance(61)
    await storage.sweep()
    assert (await split.extend([hold(delivery)], 60)).lost == (delivery.id,)
    assert journal.heard == [("first", "Success")]
    await split.extend([hold(delivery)], 60)
    assert journal.heard == [("first", "Success")]


async def test_what_is_begun_anew_leaves_no_copy_behind(
    split: SplitBroker, journal: Log, clock: FakeClock
) -> None:
    journal.copy("first")
    (stale,) = await claimed(split)
    clock.advance(61)
    journal.copy("second")
    (delivery,) = await claimed(split)
    assert journal.heard == [("first", "Success")]
    await split.extend([hold(stale)], 60)
    assert await split.settle([settlement(delivery, Success())]) == []
    assert journal.heard == [("first", "Success"), ("second", "Success")]


async def test_what_cannot_be_read_is_still_said_to_be_so(split: SplitBroker, journal: Log) -> None:
    journal.copy("first", malformed="no message")
    (delivery,) = await claimed(split)
    assert delivery.malformed == "no message"


async def test_an_end_is_remembered_though_no_result_is_kept(
    split: SplitBroker, journal: Log, clock: FakeClock
) -> None:
    journal.copy("first")
    (delivery,) = await claimed(split)
    await split.settle([settlement(delivery, Success(), ttl=0.0)])
    clock.advance(500)
    await split.sweep()
    journal.copy("first")
    assert await claimed(split) == []


async def test_a_queue_that_cannot_be_emptied_is_purged_by_the_storage(
    split: SplitBroker, journal: Log
) -> None:
    await split.publish([MESSAGE])
    assert split.capabilities.purge
    assert await split.purge("q") == 1
    journal.copy("first")
    assert await claimed(split) == []


async def test_what_runs_elsewhere_is_not_ready(
    split: SplitBroker, journal: Log, storage: MemoryStorage
) -> None:
    await MemoryBroker.publish(journal, [MESSAGE])
    await storage.begin([Delivery(MESSAGE, 0)], "elsewhere", 60.0)
    stats = await split.stats("q")
    assert (stats.ready, stats.leased) == (0, 1)


async def test_what_is_done_is_passed_over_at_once(
    split: SplitBroker, journal: Log, storage: MemoryStorage
) -> None:
    done = msgspec.structs.replace(MESSAGE, id="00000000-0000-7000-8000-000000000002")
    journal.coming = [Delivery(done, 0)]
    (delivery,) = await claimed(split)
    await split.settle([settlement(delivery, Success())])
    journal.coming = [Delivery(done, 0, receipt=number) for number in range(30)]
    journal.copy("last")
    one = msgspec.structs.replace(CLAIM, limit=1)
    assert [delivery.id for delivery in await split.claim(one)] == [MESSAGE.id]
