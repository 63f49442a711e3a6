"""Two calls of a worker's pump at once: when, and that nothing comes of it but speed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

from qtasks._worker.pump import Pump
from qtasks.adapters.memory import MemoryBroker
from qtasks.configs import QueueConfig
from qtasks.exc import ServerUnavailableError
from qtasks.schemas import (
    Capabilities,
    Delivery,
    Exchange,
    Finished,
    Message,
    Settlement,
    Success,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from qtasks.schemas import Claim

#: What fits into the worker, and what is worth a second call.
ROOM, MUCH = 100, 25


def delivery(number: int, *, lost: int = 0) -> Delivery:
    return Delivery(Message(f"{number}", "t", "q", b""), token=number, lost=lost)


class Call:
    """A call that the test answers when it wants."""

    def __init__(self, settled: Sequence[Settlement], request: Claim) -> None:
        self.settled = [settlement.id for settlement in settled]
        self.limit, self.suspects = request.limit, request.suspects
        self.answer: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()

    def gives(self, *deliveries: Delivery) -> None:
        self.answer.set_result(Exchange(deliveries=deliveries))


class Answered(MemoryBroker):
    """Answers when it is told to, and never says that there is work."""

    capabilities: ClassVar[Capabilities] = Capabilities(overlap=True)

    def __init__(self) -> None:
        super().__init__()
        self.calls: asyncio.Queue[Call] = asyncio.Queue()

    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        call = Call(settlements, request)
        self.calls.put_nowait(call)
        return await call.answer

    async def ready(self, queues: Sequence[str], timeout: float) -> bool:
        return await asyncio.Event().wait()

    async def next(self) -> Call:
        async with asyncio.timeout(10):
            return await self.calls.get()


class Alone(Answered):
    """Does not allow two calls at once."""

    capabilities: ClassVar[Capabilities] = Capabilities()


class Bench:
    """A pump, and what runs in it.

    Attributes:
        running: what was begun and has not ended.
        told: what was told of what was settled.
        slow: what takes its time to be told, until ``going_on`` is set.
    """

    def __init__(self, broker: Answered) -> None:
        self.broker = broker
        self.running: list[Delivery] = []
        self.told: list[Finished] = []
        self.slow: list[str] = []
        self.going_on = asyncio.Event()
        self.pump = Pump(
            broker=broker,
            worker_id="w",
            queues=("q",),
            config=QueueConfig(max_tasks_process=ROOM, prefetch=0),
            start=self.running.append,
            stale=lambda _: None,
            expired=lambda _, __: None,
            committed=self._committed,
        )

    async def _committed(self, finished: Finished, fenced: bool) -> None:
        if finished.delivery.id in self.slow:
            await self.going_on.wait()
        self.told.append(finished)

    def end(self, number: int) -> None:
        """Ends so many runs."""
        for _ in range(number):
            ended = self.running.pop(0)
            settlement = Settlement(ended.id, ended.token, Success())
            self.pump.finished(ended, Finished(ended, None, settlement))

    async def fill(self) -> None:
        """Fills the worker; the broker has no more then."""
        first = await self.broker.next()
        first.gives(*map(delivery, range(ROOM)))
        while len(self.running) < ROOM:
            await asyncio.sleep(0)

    async def two_calls(self, second: int = MUCH) -> tuple[Call, Call]:
        """Ends a run, and then so many: returns the calls that this leads to."""
        await self.fill()
        self.end(1)
        first = await self.broker.next()
        self.end(second)
        return first, await self.broker.next()

    async def silent(self) -> bool:
        """Tells whether no call is made, whatever the loop has to do."""
        for _ in range(20):
            await asyncio.sleep(0)
        return self.broker.calls.empty()


@asynccontextmanager
async def pumping(broker: Answered) -> AsyncIterator[Bench]:
    bench = Bench(broker)
    task = asyncio.create_task(bench.pump.run())
    yield bench
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_when_much_has_ended_a_second_call_goes_out() -> None:
    async with pumping(Answered()) as bench:
        await bench.fill()
        bench.end(1)
        first = await bench.broker.next()
        bench.end(MUCH - 1)
        assert await bench.silent()

        bench.end(1)
        second = await bench.broker.next()

        assert (len(first.settled), first.limit) == (1, 1)
        assert (len(second.settled), second.limit) == (MUCH, MUCH)
        assert (first.suspects, second.suspects) == (1, 0)  # no two at once in one process
        bench.end(MUCH)
        assert await bench.silent()  # no third

        second.gives()
        third = await bench.broker.next()
        assert len(third.settled) == MUCH


async def test_what_is_on_its_way_has_its_room() -> None:
    async with pumping(Answered()) as bench:
        first = await bench.broker.next()
        first.gives(*map(delivery, range(MUCH)))
        while len(bench.running) < MUCH:
            await asyncio.sleep(0)
        bench.pump.wake()
        filling = await bench.broker.next()
        assert filling.limit == ROOM - MUCH

        bench.end(MUCH)
        second = await bench.broker.next()

        assert second.limit == MUCH


async def test_where_it_is_not_allowed_one_waits_for_the_other() -> None:
    async with pumping(Alone()) as bench:
        await bench.fill()
        bench.end(1)
        first = await bench.broker.next()
        bench.end(2 * MUCH)
        assert await bench.silent()

        first.gives()
        assert len((await bench.broker.next()).settled) == 2 * MUCH


async def test_the_outcomes_of_a_second_call_that_fails_go_with_the_next() -> None:
    async with pumping(Answered()) as bench:
        first, second = await bench.two_calls()

        second.answer.set_exception(ServerUnavailableError("away"))
        assert await bench.silent()  # the first says whether the broker is there
        first.gives()
        third = await bench.broker.next()

        assert third.settled == second.settled


async def test_what_comes_beside_a_suspect_on_its_last_chance_is_given_back() -> None:
    async with pumping(Answered()) as bench:
        first, second = await bench.two_calls()

        first.gives(delivery(1000, lost=2))
        second.gives(*map(delivery, range(2000, 2010)))
        third = await bench.broker.next()

        assert third.settled == [str(number) for number in range(2000, 2010)]
        assert third.limit == 0


async def test_it_ends_when_both_have_been_answered() -> None:
    bench = Bench(Answered())
    task = asyncio.create_task(bench.pump.run())
    first, second = await bench.two_calls(ROOM - 1)
    bench.pump.drain()
    first.gives()
    assert await bench.silent()
    assert not task.done()

    second.gives()
    async with asyncio.timeout(10):
        await task


async def test_it_does_not_end_before_all_is_told_of_the_second_call() -> None:
    """A plugin takes its time with what the second call settled."""
    bench = Bench(Answered())
    task = asyncio.create_task(bench.pump.run())
    first, second = await bench.two_calls(ROOM - 1)
    bench.pump.drain()
    bench.slow = second.settled
    second.gives()
    assert await bench.silent()
    first.gives()

    assert await bench.silent()
    assert not task.done()
    bench.going_on.set()
    async with asyncio.timeout(10):
        await task
    assert len(bench.told) == ROOM


async def test_a_second_call_that_breaks_ends_the_worker() -> None:
    """As the first does: what it was to settle would be lost, and held for ever."""
    bench = Bench(Answered())
    task = asyncio.create_task(bench.pump.run())
    first, second = await bench.two_calls()

    second.answer.set_exception(LookupError("a defect of the adapter"))
    assert await bench.silent()
    first.gives()

    await asyncio.wait([task], timeout=10)
    assert task.done()
    assert isinstance(task.exception(), LookupError)
