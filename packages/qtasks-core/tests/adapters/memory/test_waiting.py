from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from qtasks.adapters.memory import MemoryBroker
from qtasks.schemas import Claim, Message, Settlement, Success
from qtasks.testing import FakeClock
from qtasks.testing.conformance.base import complete

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOREVER = 1e9


def message(number: int = 1, **fields: float) -> Message:
    return Message(id=f"id-{number}", task="t", queue="q", payload=b"", **fields)  # type: ignore[arg-type]


async def waits(broker: MemoryBroker, number: int) -> None:
    """Waits until that many wait for a queue."""
    while len(broker._server.ready_bells._waiters.get("q", ())) < number:
        await asyncio.sleep(0)


class Counting(MemoryBroker):
    """Counts how often somebody looks for work."""

    looks = 0

    def watch(self) -> None:
        store = self._server.store
        look = store.next_due

        def counted(queues: Sequence[str], now: float) -> float:
            self.looks += 1
            return look(queues, now)

        store.next_due = counted  # type: ignore[method-assign, assignment]


async def test_an_idle_worker_does_not_poll() -> None:
    clock = FakeClock()
    broker = Counting(clock=clock)
    broker.watch()
    waiting = asyncio.ensure_future(broker.ready(["q"], 1000.0))
    while not clock.sleeping:
        await asyncio.sleep(0)
    for _ in range(900):
        clock.advance(1.0)
        await asyncio.sleep(0)
    assert broker.looks == 1
    clock.advance(100.0)
    assert await asyncio.wait_for(waiting, 10) is False
    assert broker.looks == 2


async def test_many_messages_wake_a_loop_once() -> None:
    broker = Counting(clock=FakeClock())
    broker.watch()
    waiting = asyncio.ensure_future(broker.ready(["q"], FOREVER))
    await waits(broker, 1)
    for number in range(100):
        await broker.publish([message(number)])
    assert await asyncio.wait_for(waiting, 10) is True
    assert broker.looks == 2


async def test_nobody_is_remembered_who_does_not_wait() -> None:
    broker = MemoryBroker(clock=FakeClock())
    bells = broker._server.ready_bells
    crowd = [asyncio.ensure_future(broker.ready(["q", "q", "r"], FOREVER)) for _ in range(3)]
    await waits(broker, 3)
    assert sorted(bells._waiters) == ["q", "r"]
    for waiting in crowd:
        waiting.cancel()
    await asyncio.wait(crowd)
    assert bells._waiters == {}
    assert await broker.ready(["q"], 0) is False
    assert bells._waiters == {}


async def test_an_earlier_due_time_counts() -> None:
    clock = FakeClock()
    broker = MemoryBroker(clock=clock)
    await broker.publish([message(1, delay=100.0)])
    waiting = asyncio.ensure_future(broker.ready(["q"], FOREVER))
    await waits(broker, 1)
    await broker.publish([message(2, delay=10.0)])
    while clock.sleeping < 1 or broker._server.ready_bells._waiters["q"][0]._called:  # type: ignore[attr-defined]
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    clock.advance(10.0)
    assert await asyncio.wait_for(waiting, 10) is True


def test_loops_in_several_threads_are_woken() -> None:
    broker = MemoryBroker()
    answers: list[bool] = []

    def wait() -> None:
        answers.append(asyncio.run(broker.ready(["q"], 30.0)))

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    asyncio.run(asyncio.wait_for(waits(broker, 3), 10))
    complete(broker.publish([message()]))
    for thread in threads:
        thread.join(10)
    assert answers == [True] * 3


def test_a_loop_that_was_closed_is_no_trouble() -> None:
    broker = MemoryBroker()
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(broker.ready(["q"], 30.0))
    loop.run_until_complete(waits(broker, 1))
    waiter = broker._server.ready_bells._waiters["q"][0]
    waiting.cancel()
    loop.run_until_complete(asyncio.wait({waiting}))
    loop.close()
    broker._server.ready_bells.add(["q"], waiter)
    complete(broker.publish([message()]))
    assert complete(broker.client().ready(["q"], 0.0)) is True


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Has SIGINT interrupt, also where the tests were started in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals for threads")
def test_a_blocked_thread_can_be_interrupted(interruptible: None) -> None:
    broker = MemoryBroker()
    twin = broker.client()
    main = threading.get_ident()

    def interrupt() -> None:
        asyncio.run(waits(broker, 1))
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        complete(twin.ready(["q"], 30.0))
    thread.join()
    assert broker._server.ready_bells._waiters == {}


def test_a_result_crosses_from_a_loop_to_a_thread() -> None:
    broker = MemoryBroker()
    complete(broker.publish([message()]))

    async def work() -> None:
        (delivery,) = await broker.claim(Claim(("q",), 1, 10.0, "w"))
        while "id-1" not in broker._server.end_bells._waiters:
            await asyncio.sleep(0)
        await broker.settle([Settlement(delivery.id, delivery.token, Success(b"result"))])

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    ended = complete(broker.client().storage.wait(["id-1"], 30.0))
    thread.join()
    record = ended["id-1"]
    assert record is not None
    assert record.result == b"result"
