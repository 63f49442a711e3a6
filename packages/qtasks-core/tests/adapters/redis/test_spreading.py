"""Letters that are sent back in several steps are spread over all of the time."""

from __future__ import annotations

from qtasks.adapters.redis import RedisBroker
from qtasks.schemas import Claim, Fail, Message, Settlement, TaskError
from qtasks.testing import FakeClock

COUNT = 1200
SPREAD = 120.0


async def test_many_letters_become_due_evenly(valkey: str) -> None:
    clock = FakeClock()
    broker = RedisBroker(valkey, clock=clock)
    await broker.start()
    ids = [f"task{number}" for number in range(COUNT)]
    await broker.publish([Message(id_, "t", "q", b"") for id_ in ids])
    found = await broker.claim(Claim(("q",), COUNT, 15.0, "w"))
    failed = Fail(TaskError("x", "y"))
    await broker.settle([Settlement(d.id, d.token, failed, receipt=d.receipt) for d in found])

    await broker.storage.requeue(ids, spread=SPREAD)

    records = await broker.storage.get(ids)
    due = [record.due_at - clock.time() for record in records if record is not None]
    thirds = [sum(low <= at < low + SPREAD / 3 for at in due) for low in (0.0, 40.0, 80.0)]
    assert thirds == [400, 400, 400]
    await broker.stop()
