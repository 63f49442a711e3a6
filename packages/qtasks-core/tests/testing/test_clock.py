from __future__ import annotations

import asyncio
import threading

import pytest

from qtasks.testing import FakeClock
from qtasks.typing import Clock


async def spin() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_it_is_a_clock() -> None:
    clock: Clock = FakeClock()
    assert isinstance(clock, Clock)


def test_it_stands_still_until_it_is_advanced() -> None:
    clock = FakeClock(100.0)
    assert (clock.time(), clock.monotonic()) == (100.0, 100.0)
    clock.advance(2.5)
    clock.advance(0)
    assert (clock.time(), clock.monotonic()) == (102.5, 102.5)


def test_time_does_not_go_backwards() -> None:
    clock = FakeClock()
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


async def test_sleepers_wake_in_the_order_of_their_time() -> None:
    clock = FakeClock()
    woken: list[str] = []

    async def sleep(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("c", 3.0), ("a", 1.0), ("b1", 2.0), ("b2", 2.0)):
            group.create_task(sleep(name, seconds))
        await spin()
        assert (woken, clock.sleeping) == ([], 4)
        clock.advance(1.0)
        await spin()
        assert (woken, clock.sleeping) == (["a"], 3)
        clock.advance(10.0)
    assert woken == ["a", "b1", "b2", "c"]
    assert clock.sleeping == 0


async def test_a_sleep_ends_exactly_at_its_time() -> None:
    clock = FakeClock()
    due = clock.time() + 0.1
    sleeper = asyncio.ensure_future(clock.sleep(due - clock.time()))
    await spin()
    clock.advance(0.1)
    await asyncio.wait_for(sleeper, 10)
    assert clock.time() >= due


async def test_no_time_at_all_is_no_sleep() -> None:
    clock = FakeClock()
    await asyncio.wait_for(clock.sleep(0), 10)
    await asyncio.wait_for(clock.sleep(-1), 10)
    assert clock.sleeping == 0


async def test_a_cancelled_sleeper_is_not_woken() -> None:
    clock = FakeClock()
    sleeper = asyncio.ensure_future(clock.sleep(1))
    await spin()
    sleeper.cancel()
    await asyncio.wait({sleeper})
    assert clock.sleeping == 0
    clock.advance(2)
    await spin()
    assert sleeper.cancelled()


async def test_any_thread_may_advance_it() -> None:
    clock = FakeClock()
    sleeper = asyncio.ensure_future(clock.sleep(1))
    await spin()
    thread = threading.Thread(target=clock.advance, args=(1,))
    thread.start()
    await asyncio.wait_for(sleeper, 10)
    thread.join()


def test_sleepers_of_a_closed_loop_are_forgotten() -> None:
    clock = FakeClock()

    async def leave() -> None:
        sleeper = asyncio.ensure_future(clock.sleep(1))
        await spin()
        sleepers.append(sleeper)

    sleepers: list[asyncio.Future[None]] = []
    asyncio.run(leave())
    clock.advance(2)
    assert sleepers[0].cancelled()


def test_several_loops_may_sleep_on_it() -> None:
    clock = FakeClock()
    asleep = threading.Barrier(3)

    async def sleep() -> None:
        sleeper = asyncio.ensure_future(clock.sleep(1))
        await spin()
        asleep.wait()
        await asyncio.wait_for(sleeper, 10)

    threads = [threading.Thread(target=lambda: asyncio.run(sleep())) for _ in range(2)]
    for thread in threads:
        thread.start()
    asleep.wait()
    clock.advance(1)
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
