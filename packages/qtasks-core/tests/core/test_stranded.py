"""Tasks that a storage knows to wait, and that the broker elsewhere does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec
import pytest

from qtasks._core.split import SplitBroker
from qtasks.adapters.memory import MemoryBroker, MemoryStorage
from qtasks.schemas import Capabilities, Claim, Finding, Message, QueueStats
from qtasks.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Sequence

MESSAGE = Message("00000000-0000-7000-8000-000000000001", "t", "q", b"payload")
OTHER = msgspec.structs.replace(MESSAGE, id="00000000-0000-7000-8000-000000000002")
CLAIM = Claim(("q",), 1, 60.0, "w")


class Log(MemoryBroker):
    """A broker that cannot forget single messages."""

    capabilities: ClassVar[Capabilities] = Capabilities(purge=False, delay=False)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def storage(clock: FakeClock) -> MemoryStorage:
    return MemoryStorage(clock=clock)


@pytest.fixture
def split(storage: MemoryStorage, clock: FakeClock) -> SplitBroker:
    return SplitBroker(Log(clock=clock), storage, clock)


async def errors(split: SplitBroker) -> Sequence[Finding]:
    return [finding for finding in await split.diagnose() if finding.level == "error"]


async def test_tasks_that_the_broker_has_lost_are_found(
    split: SplitBroker, storage: MemoryStorage, clock: FakeClock
) -> None:
    await storage.put([MESSAGE, OTHER])
    assert await errors(split) == []  # they may be on their way
    clock.advance(61)
    (finding,) = await errors(split)
    assert finding.subject == "tasks of q"
    assert "2 task(s) have been accepted and are not at the broker" in finding.message
    assert MESSAGE.id in finding.message
    assert "their task_id" in str(finding.fix)

    await split.publish([MESSAGE, OTHER])
    assert await errors(split) == []


async def test_tasks_that_wait_or_run_are_not_lost(split: SplitBroker, clock: FakeClock) -> None:
    later = msgspec.structs.replace(OTHER, delay=3600.0)
    await split.publish([MESSAGE, later])
    clock.advance(61)
    assert await errors(split) == []
    assert [delivery.id for delivery in await split.claim(CLAIM)] == [MESSAGE.id]
    assert await errors(split) == []


async def test_what_begins_during_the_look_is_not_lost(
    split: SplitBroker, storage: MemoryStorage, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await split.publish([MESSAGE])
    clock.advance(61)
    count = split.stats

    async def begin_meanwhile(queue: str) -> QueueStats:
        await split.claim(CLAIM)
        return await count(queue)

    monkeypatch.setattr(split, "stats", begin_meanwhile)
    assert await errors(split) == []


async def test_a_paused_queue_that_was_purged_has_nothing_ready(
    split: SplitBroker, clock: FakeClock
) -> None:
    await split.publish([MESSAGE])
    await split.pause("q")
    clock.advance(1)
    assert ((await split.stats("q")).ready, (await split.stats("q")).oldest_ready_age) == (1, 1.0)
    assert await split.purge("q") == 1
    stats = await split.stats("q")
    assert (stats.ready, stats.oldest_ready_age) == (0, None)


async def test_of_many_tasks_in_a_paused_queue_the_broker_s_count_is_shown(
    split: SplitBroker,
) -> None:
    many = [msgspec.structs.replace(MESSAGE, id=f"{MESSAGE.id[:-3]}{n:03}") for n in range(300)]
    await split.publish(many)
    await split.pause("q")
    assert (await split.stats("q")).ready == 300
