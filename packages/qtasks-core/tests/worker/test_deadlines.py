"""Deliveries that wait in a worker and have to be started in time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from qtasks._worker.deadlines import Deadlines
from qtasks.schemas import Delivery, Message

if TYPE_CHECKING:
    from collections.abc import Iterable


def delivery(name: str, seconds: float) -> Delivery:
    """One that has to be started within so many seconds."""
    message = Message(id=name, task="work", queue="q", payload=b"")
    return Delivery(message=message, token=1, claimed_at=100.0, expires_at=100.0 + seconds)


def watched(rounds: Iterable[list[Delivery]]) -> list[str]:
    """Returns what was taken back because its time ran out, at once or never."""
    late: list[str] = []

    async def wait() -> None:
        done = asyncio.Event()

        def withdraw(task_id: str, *_: Any, **__: Any) -> Delivery:
            return delivery(task_id, 0.0)

        def expired(one: Delivery, _: str) -> None:
            late.append(one.id)
            if one.id == "last":
                done.set()

        deadlines = Deadlines(withdraw, expired, lambda: None)
        for waiting in rounds:
            deadlines.watch(waiting, asyncio.get_running_loop().time())
        await done.wait()

    asyncio.run(wait())
    return late


def test_they_leave_in_the_order_of_their_times() -> None:
    waiting = [delivery("last", 0.02), delivery("first", 0.0), delivery("never", 600.0)]

    assert watched([waiting]) == ["first", "last"]


def test_one_that_waits_no_more_is_forgotten() -> None:
    assert watched([[delivery("begun", 0.01)], [delivery("last", 0.02)]]) == ["last"]


def test_its_time_counts_from_the_claim_that_brought_it() -> None:
    one = delivery("last", 0.01)

    assert watched([[one], [one, delivery("never", 600.0)]]) == ["last"]
