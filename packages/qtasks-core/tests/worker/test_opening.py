"""The start of a worker whose broker is away, and the pauses between its attempts."""

from __future__ import annotations

import asyncio
import logging

import pytest

from qtasks._runtime.backoff import Backoff
from qtasks._worker import opening
from qtasks.asyncio import QueueTasks
from qtasks.brokers import MemoryBroker
from qtasks.exc import ServerError, ServerUnavailableError


class Late(MemoryBroker):
    """A broker that is away for some attempts."""

    failures = 0
    error: type[ServerError] = ServerUnavailableError
    tried = asyncio.Event()

    async def start(self) -> None:
        self.tried.set()
        if self.failures:
            self.failures -= 1
            msg = "nobody is there"
            raise self.error(msg)
        await super().start()


def late(failures: int, error: type[ServerError] = ServerUnavailableError) -> Late:
    broker = Late("memory://")
    broker.failures, broker.error, broker.tried = failures, error, asyncio.Event()
    return broker


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_PAUSES", (0.0, 0.0))


async def test_a_patient_worker_waits_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    app = QueueTasks(broker=late(3))

    @app.task
    async def work() -> int:
        return 1

    await app.worker(burst=True).run(retry=True)

    assert caplog.text.count("The broker is away, the worker waits for it: nobody is there") == 1
    assert "The broker is there after 3 attempts" in caplog.text


async def test_an_impatient_one_fails_at_once() -> None:
    broker = late(1)

    with pytest.raises(ServerUnavailableError, match="nobody is there"):
        await QueueTasks(broker=broker).worker().run()
    assert broker.failures == 0


async def test_what_waiting_does_not_mend_is_not_waited_for() -> None:
    broker = late(2, ServerError)

    with pytest.raises(ServerError, match="nobody is there"):
        await QueueTasks(broker=broker).worker().run(retry=True)
    assert broker.failures == 1


@pytest.mark.parametrize("hurry", [None, False, True])
async def test_the_wait_ends_when_the_worker_is_stopped(hurry: bool | None) -> None:
    broker = late(1_000_000_000)
    worker = QueueTasks(broker=broker).worker()
    running = asyncio.ensure_future(worker.run(retry=True))
    await broker.tried.wait()

    worker.stop(hurry=hurry)
    await running

    assert not worker.started


async def test_a_worker_that_was_stopped_before_it_started_never_asks() -> None:
    broker = late(1)
    worker = QueueTasks(broker=broker).worker()
    worker.stop()

    await worker.run(retry=True)

    assert not broker.tried.is_set()


def test_pauses_grow_up_to_the_longest_and_begin_anew() -> None:
    backoff = Backoff(0.5, 3.0)

    pauses = [backoff.pause() for _ in range(100)]

    for pause, due in zip(pauses, [0.5, 1.0, 2.0, *[3.0] * 97], strict=True):
        assert due / 2 <= pause <= due
    assert backoff.failures == 100
    backoff.reset()
    assert backoff.pause() <= 0.5
