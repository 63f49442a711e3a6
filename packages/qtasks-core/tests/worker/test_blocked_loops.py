"""A blocked loop reads no answers: their leases are kept, and what came too late is not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks._runtime.bridge import drive
from qtasks._worker.keeper import Keeper
from qtasks.asyncio import QueueTasks
from qtasks.brokers import MemoryBroker
from qtasks.configs import QueueConfig
from qtasks.schemas import Claim, Held, Message, Presence

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from qtasks.schemas import Exchange, Extension, Settlement, Swept


class Target:
    """A worker that knows of one delivery."""

    def __init__(self, known: list[Held]) -> None:
        self.known = known

    def held(self) -> list[Held]:
        return self.known

    def presence(self) -> Presence:
        return Presence("mine")

    def kept(self, held: list[Held], extension: Extension, swept: Swept) -> None:
        self.known, self.swept = held, swept

    def doomed(self, error: Exception) -> None:
        raise error


def claimed(broker: MemoryBroker, worker: str) -> list[Held]:
    deliveries = drive(broker.claim(Claim(("q",), 2, 10.0, worker)))
    return [Held(d.id, d.token, "q") for d in deliveries]


def test_the_leases_in_an_answer_that_is_not_read_are_kept() -> None:
    broker, waits = MemoryBroker(), 0.0
    drive(broker.publish([Message(str(n), "work", "q", b"") for n in range(4)]))
    known, unread = claimed(broker, "mine"), claimed(broker, "mine")
    target = Target(known)
    keeper = Keeper(broker, target, lease=6.0, waits=lambda: waits)

    drive(keeper.round())
    assert target.known == known  # the answer is on its way, as it always is for a moment

    waits = 1.1
    drive(keeper.round())
    assert target.known == [*known, *unread]


class Late(MemoryBroker):
    """A broker whose first answer is read when others have taken back what is in it."""

    late = True

    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        answer = await super().exchange(settlements, request)
        if answer.deliveries and self.late:
            self.late = False
            await self.expire(request.worker)
        return answer


async def test_what_was_taken_back_before_its_answer_was_read_is_not_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The process stood still meanwhile; without a look, its run would be one too many."""
    monkeypatch.setattr("qtasks._worker.exchanges.Exchanges.waits", lambda _: 10.0)
    app = QueueTasks(broker=Late(), config=QueueConfig(lease=15.0))
    runs: list[int] = []

    @app.task
    async def work() -> int:
        runs.append(1)
        return 7

    handle = await work.add_task()
    async with app.worker():
        assert await handle.result(timeout=60) == 7

    assert (len(runs), handle.record.deliveries) == (1, 2)
    assert "1 tasks came too late and are left to other workers" in caplog.text
