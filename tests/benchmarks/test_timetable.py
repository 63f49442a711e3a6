"""In the open loop a task has a time to arrive at, which does not depend on the ones before."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

import pytest
from peers.produce import Caller, arrive
from peers.timetable import idle_arrivals, steady_arrivals


def test_steady_arrivals_have_equal_distances() -> None:
    assert steady_arrivals(4, 100.0) == [0, 10_000_000, 20_000_000, 30_000_000]


def test_idle_arrivals_leave_a_pause_that_varies() -> None:
    times = idle_arrivals(50, 0.5, seed=1)

    pauses = [later - earlier for earlier, later in zip([0, *times], times, strict=False)]
    assert all(0.25e9 <= pause <= 0.75e9 for pause in pauses)
    assert len(set(pauses)) == 50


def test_a_seed_makes_the_same_pauses() -> None:
    assert idle_arrivals(9, 0.5, seed=3) == idle_arrivals(9, 0.5, seed=3)
    assert idle_arrivals(9, 0.5, seed=3) != idle_arrivals(9, 0.5, seed=4)


class Slow:
    """A queue that answers nobody before all have asked."""

    blocking = False

    def __init__(self, tasks: int) -> None:
        self._asked = 0
        self._tasks = tasks
        self._all = asyncio.Event()

    async def one(self, kind: str, number: int, text: str) -> int:
        self._asked += 1
        if self._asked == self._tasks:
            self._all.set()
        return number

    async def result(self, handle: int) -> int:
        await self._all.wait()
        return handle


OPTIONS = argparse.Namespace(kind="noop")


async def test_a_slow_queue_does_not_slow_the_arrivals() -> None:
    producer = Slow(5)

    # Whoever waited for the first answer would wait for ever.
    found = await arrive(Caller(producer), producer, OPTIONS, steady_arrivals(5, 10_000.0))

    assert [at - found["due"][0] for at in found["due"]] == steady_arrivals(5, 10_000.0)
    assert all(seen > due for due, seen in zip(found["due"], found["seen"], strict=True))


class Late:
    """A queue whose calls hold up everything, as a full processor does."""

    blocking = False

    async def one(self, kind: str, number: int, text: str) -> int:
        time.sleep(0.01)  # noqa: ASYNC251 - holding up the loop is what is tested
        return number

    async def result(self, handle: int) -> int:
        return handle


async def test_a_task_that_is_added_late_waits_since_it_was_due() -> None:
    producer = Late()

    found = await arrive(Caller(producer), producer, OPTIONS, [0, 0, 0])

    waits = [seen - due for due, seen in zip(found["due"], found["seen"], strict=True)]
    assert waits[-1] >= 30_000_000


class Wrong(Slow):
    async def result(self, handle: int) -> Any:
        return handle + 1


async def test_a_wrong_result_is_noticed() -> None:
    producer = Wrong(1)

    with pytest.raises(ExceptionGroup) as caught:
        await arrive(Caller(producer), producer, OPTIONS, [0])

    assert "task 0 returned 1" in str(caught.value.exceptions[0])
