"""How much time a worker has left when it was asked to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks._worker import stopping
from qtasks._worker.stopping import MARGIN, Stopping
from qtasks.asyncio import QueueTasks

if TYPE_CHECKING:
    import pytest


def test_the_time_counts_from_the_first_time_it_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(stopping.time, "monotonic", lambda: now)
    asked = Stopping()
    assert asked.left(30.0) is None

    asked.set()
    now = 110.0
    asked.set()

    assert asked.left(30.0) == 20.0 + MARGIN
    now = 1000.0
    assert asked.left(30.0) == 0.0


async def test_a_worker_says_how_much_is_left() -> None:
    app = QueueTasks(broker_url="memory://", plugins=[])
    worker = app.worker()
    assert worker.time_left is None
    async with worker:
        assert worker.time_left is None
        worker.stop()
        left = 0.0
        while not left:
            await worker._stopping.wait()
            left = worker.time_left or 0.0

    assert 0 < left <= app.config.shutdown_timeout + MARGIN
    await app.close()
