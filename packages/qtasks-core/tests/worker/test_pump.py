from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qtasks._worker.pump import Pump
from qtasks.adapters.memory import MemoryBroker
from qtasks.configs import QueueConfig
from qtasks.schemas import Delivery, Exchange, Finished, Message, Settlement, Success

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.schemas import Claim


def delivery(id_: str, token: int, *, lost: int = 0) -> Delivery:
    return Delivery(Message(id=id_, task="t", queue="q", payload=b""), token=token, lost=lost)


class Scripted(MemoryBroker):
    """Answers with what it was given, in order, and remembers what it was asked."""

    def __init__(self, *answers: Exchange) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked: list[Claim] = []
        self.all_asked = asyncio.Event()

    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        self.asked.append(request)
        if not self.answers:
            self.all_asked.set()
            return Exchange(tuple(settlement.id for settlement in settlements))
        return self.answers.pop(0)


async def test_a_suspect_stays_while_an_older_run_of_the_same_task_is_settled() -> None:
    # given: the worker still has the outcome of a lease that it has lost, when the same task
    # comes back to it as a suspect
    broker = Scripted(
        Exchange(deliveries=(delivery("a", 1),)),
        Exchange(deliveries=(delivery("a", 2, lost=1),)),
    )

    def start(begun: Delivery) -> None:
        if begun.token == 1:
            settlement = Settlement("a", 1, Success())
            finished = Finished(begun, None, settlement)
            asyncio.get_running_loop().call_soon(pump.finished, begun, finished)

    async def committed(finished: Finished, fenced: bool) -> None:
        if finished.settlement.token == 1 and len(broker.asked) < 3:
            pump.settle(finished)  # as if it had been under way all the time

    pump = Pump(
        broker=broker,
        worker_id="w",
        queues=("q",),
        config=QueueConfig(max_tasks_process=4),
        start=start,
        stale=lambda _: None,
        expired=lambda _, __: None,
        committed=committed,
    )

    # when: the old outcome is settled
    pumping = asyncio.create_task(pump.run())
    await broker.all_asked.wait()
    pumping.cancel()
    await asyncio.gather(pumping, return_exceptions=True)

    # then: it asks for no second suspect
    assert [request.suspects for request in broker.asked[2:3]] == [0]


async def test_who_has_ended_its_suspect_waits_for_other_suspects_too() -> None:
    # given: a worker that began to wait for work while it had a suspect, so not for others
    class Waits(Scripted):
        waits = 0

        async def ready(self, queues: Sequence[str], timeout: float) -> bool:
            self.waits += 1
            waiting.set()
            await asyncio.Event().wait()
            return True

    broker, waiting = Waits(Exchange(deliveries=(delivery("a", 1, lost=1),))), asyncio.Event()
    begun: list[Delivery] = []

    async def committed(finished: Finished, fenced: bool) -> None:
        pass

    pump = Pump(
        broker=broker,
        worker_id="w",
        queues=("q",),
        config=QueueConfig(max_tasks_process=4),
        start=begun.append,
        stale=lambda _: None,
        expired=lambda _, __: None,
        committed=committed,
    )
    pumping = asyncio.create_task(pump.run())
    async with asyncio.timeout(10):
        await waiting.wait()
        waiting.clear()

        # when: the suspect ends
        pump.finished(begun[0], Finished(begun[0], None, Settlement("a", 1, Success())))

        # then: it begins to wait anew
        await waiting.wait()
    pump.drain()
    await pumping
    assert broker.waits == 2
