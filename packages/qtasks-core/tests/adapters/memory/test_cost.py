"""What an operation costs does not depend on how much is queued."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks.adapters.memory import MemoryBroker, heap
from qtasks.schemas import Claim, Message, Settlement, Success
from qtasks.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable


class Count:
    """Counts the operations on heaps."""

    def __init__(self) -> None:
        self.calls = 0

    def of(self, function: Callable[..., object]) -> Callable[..., object]:
        def counted(*args: object) -> object:
            self.calls += 1
            return function(*args)

        return counted


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Count:
    counter = Count()
    for name in ("heappush", "heappop"):
        monkeypatch.setattr(heap, name, counter.of(getattr(heap, name)))
    return counter


async def claim_and_settle(broker: MemoryBroker, number: int) -> None:
    deliveries = await broker.claim(Claim(("q",), number, 10.0, "w", suspects=1))
    assert len(deliveries) == number
    settlements = [Settlement(d.id, d.token, Success(), ttl=60.0) for d in deliveries]
    assert await broker.settle(settlements) == []


def messages(prefix: str, number: int, delay: float = 0.0, priority: int = 0) -> list[Message]:
    return [
        Message(f"{prefix}{n}", "t", "q", b"", delay=delay, priority=priority)
        for n in range(number)
    ]


@pytest.mark.parametrize("queued", [1_000, 20_000])
async def test_a_task_costs_a_few_steps(count: Count, queued: int) -> None:
    broker = MemoryBroker(clock=FakeClock())
    await broker.publish(messages("r", queued))
    await broker.publish(messages("d", queued, delay=60.0, priority=-1))
    count.calls = 0
    await claim_and_settle(broker, 500)
    assert count.calls <= 4 * 500


async def test_suspects_do_not_stand_in_the_way(count: Count) -> None:
    clock = FakeClock()
    broker = MemoryBroker(clock=clock)
    await broker.publish(messages("s", 5_000))
    await broker.claim(Claim(("q",), 5_000, 1.0, "dead"))
    assert await broker.expire("dead") == 5_000
    await broker.publish(messages("r", 500))
    count.calls = 0
    await claim_and_settle(broker, 500)
    assert count.calls <= 4 * 500


async def test_an_empty_claim_costs_nothing(count: Count) -> None:
    broker = MemoryBroker(clock=FakeClock())
    await broker.publish(messages("d", 5_000, delay=60.0))
    count.calls = 0
    for _ in range(100):
        assert await broker.claim(Claim(("q",), 10, 10.0, "w")) == []
        assert await broker.ready(["q"], 0) is False
    assert count.calls == 0
