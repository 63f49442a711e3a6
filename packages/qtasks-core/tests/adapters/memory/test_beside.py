from __future__ import annotations

from qtasks.adapters.memory import MemoryStorage
from qtasks.schemas import Begun, Delivery, Message
from qtasks.testing import FakeClock


def message(name: str, **fields: object) -> Message:
    return Message(id=name, task="t", queue="q", payload=b"", **fields)  # type: ignore[arg-type]


async def test_a_message_without_a_record_may_not_take_a_key() -> None:
    storage = MemoryStorage(clock=FakeClock())
    await storage.put([message("holder", unique_key="k")])
    stray = Delivery(message("stray", unique_key="k"), token=0)
    assert await storage.begin([stray], "w", 10.0) == Begun(skip=("stray",))
    assert await storage.get(["stray"]) == [None]


async def test_the_schedule_tells_ages() -> None:
    clock = FakeClock()
    storage = MemoryStorage(clock=clock)
    await storage.put([message("now"), message("later", delay=30.0)], scheduled=True)
    clock.advance(10.0)
    stats = await storage.stats("q")
    assert (stats.oldest_ready_age, stats.next_due_in) == (10.0, 20.0)
