"""What a task costs, counted in calls of functions: a count does not depend on the machine's mood.

Python's and C's functions count alike. A bound that is broken by a change which is worth its cost
may be raised; then say why in the commit.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from qtasks.asyncio import QueueTasks
from qtasks.plugins import BasePlugin

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Enough for what happens once in a drain to be small.
TASKS = 2_000


class Calls:
    """How many functions were called."""

    def __init__(self) -> None:
        self.made = 0

    def each(self) -> float:
        """Returns the calls for each task."""
        return self.made / TASKS


@contextlib.contextmanager
def counted() -> Iterator[Calls]:
    """Counts the calls that this thread makes."""
    calls = Calls()

    def see(_: object, event: str, __: object) -> None:
        if event in {"call", "c_call"}:
            calls.made += 1

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        yield calls
    finally:
        sys.setprofile(before)


class Listener(BasePlugin):
    """Listens to one trigger of the hot path."""

    def start(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def stop(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def trigger(self, name: str, **kwargs: Any) -> None:
        """Hears."""


async def drain(app: QueueTasks) -> tuple[float, float]:
    """Adds no-ops in bulk and runs them; returns the calls for each, of both."""

    @app.task
    async def noop(number: int, text: str) -> int:
        return number

    calls = [noop.build(number, "x" * 32) for number in range(TASKS)]
    await app.stats()  # what an app does once, looking for plugins above all, is no cost of a task
    with counted() as adding:
        handles = await app.add_tasks(calls)
    worker = app.worker(burst=True)
    with counted() as running:
        await worker.run()
    assert [await handle.result() for handle in (handles[0], handles[-1])] == [0, TASKS - 1]
    await app.close()
    return adding.each(), running.each()


async def test_a_no_op_costs_few_calls() -> None:
    adding, running = await drain(QueueTasks(broker_url="memory://"))

    assert adding <= 65
    assert running <= 150


async def test_a_listener_costs_what_it_hears_and_no_more() -> None:
    _, alone = await drain(QueueTasks(broker_url="memory://"))
    heard = QueueTasks(broker_url="memory://")
    heard.add_plugin(Listener("listener"), trigger_names=["worker_execute_before"])
    _, one = await drain(heard)
    elsewhere = QueueTasks(broker_url="memory://")
    elsewhere.add_plugin(Listener("listener"), trigger_names=["worker_child_exit"])
    _, silent = await drain(elsewhere)

    assert 0 < one - alone <= 10
    assert abs(silent - alone) < 0.5
