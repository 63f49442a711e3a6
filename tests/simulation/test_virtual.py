from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

import pytest

from simulation.virtual import PROCESS, Process, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


def begin(
    loop: VirtualLoop, process: Process, work: Coroutine[Any, Any, None]
) -> asyncio.Task[None]:
    context = contextvars.copy_context()
    context.run(PROCESS.set, process)
    return loop.create_task(work, context=context)


async def tick(process: Process, seen: list[float]) -> None:
    for _ in range(3):
        await asyncio.sleep(10.0)
        seen.append(process.clock.monotonic())


def test_time_jumps(loop: VirtualLoop) -> None:
    loop.run_until_complete(asyncio.sleep(1e6))

    assert loop.time() == pytest.approx(1e6)


def test_who_waits_for_nothing_is_told(loop: VirtualLoop) -> None:
    async def wait() -> None:
        await loop.create_future()

    with pytest.raises(RuntimeError, match="nothing is left that could ever happen"):
        loop.run_until_complete(wait())
    loop.bury([])


def test_a_frozen_process_does_late_what_was_due(loop: VirtualLoop) -> None:
    process, seen = Process("p", loop), list[float]()
    task = begin(loop, process, tick(process, seen))
    loop.call_at(5.0, process.freeze, 20.0)

    loop.run_until_complete(task)

    assert seen == pytest.approx([25.0, 35.0, 45.0])
    assert process.disturbed_at == pytest.approx(25.0)


def test_the_longest_of_two_pauses_counts(loop: VirtualLoop) -> None:
    process, seen = Process("p", loop), list[float]()
    task = begin(loop, process, tick(process, seen))
    loop.call_at(5.0, process.freeze, 20.0)
    loop.call_at(6.0, process.freeze, 30.0)

    loop.run_until_complete(task)

    assert seen == pytest.approx([36.0, 46.0, 56.0])


def test_a_timer_that_is_cancelled_in_a_pause_is_not_heard_after_it(loop: VirtualLoop) -> None:
    process, heard = Process("p", loop), list[str]()

    async def work() -> None:
        timer = loop.call_later(10.0, heard.append, "timer")
        loop.call_later(9.0, timer.cancel)
        await asyncio.sleep(20.0)

    task = begin(loop, process, work())
    loop.call_at(5.0, process.freeze, 50.0)

    loop.run_until_complete(task)

    assert heard == []


def test_a_dead_process_says_no_last_word(loop: VirtualLoop) -> None:
    process, heard = Process("p", loop), list[str]()

    async def work() -> None:
        try:
            await asyncio.sleep(10.0)
        finally:
            heard.append("finally")

    task = begin(loop, process, work())
    loop.call_at(5.0, process.kill)

    loop.run_until_complete(asyncio.sleep(100.0))

    assert heard == []
    assert process.dead.is_set()
    loop.bury([process])
    assert task.cancelled()
