"""The thread of the driver: what it says of failures, and how it ends with the program."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from aiokafka import errors

from qtasks_broker_kafka.hub import Hub, call
from qtasks_broker_kafka.options import parse_url

if TYPE_CHECKING:
    from pathlib import Path

    from qtasks_broker_kafka.engine import Engine

EXIT = """
import sys
from qtasks import QueueTasks

app = QueueTasks(broker_url=sys.argv[1], storage_url=sys.argv[2], plugins=[])

@app.task
def work():
    pass

work.add_task()
app.stats()
app.ping()
"""


def test_a_program_that_closes_nothing_ends_without_a_word(kafka: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [
            sys.executable, "-X", "dev", "-W", "default::ResourceWarning", "-c", EXIT,
            kafka, f"sqlite:///{tmp_path / 'q.db'}",
        ],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )  # fmt: skip
    assert "aiokafka" not in ran.stderr.lower()
    assert "destroyed" not in ran.stderr


@pytest.mark.parametrize(("error", "told"), [(errors.UnknownMemberIdError, 0), (TypeError, 1)])
def test_what_the_driver_leaves_behind_is_told_if_it_is_a_mistake(
    error: type[Exception], told: int, caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hub(parse_url("kafka://host"))
    engine = hub.enter()
    heard = threading.Event()

    def leave_behind() -> None:
        engine.loop.call_exception_handler({"message": "never retrieved", "exception": error("x")})
        heard.set()

    with caplog.at_level(logging.WARNING):
        engine.loop.call_soon_threadsafe(leave_behind)
        assert heard.wait(60)
    hub.leave()()
    assert len(caplog.records) == told


def test_what_is_abandoned_needs_no_other_end() -> None:
    hub = Hub(parse_url("kafka://host"))
    engine = hub.enter()
    hub.enter()
    hub.abandon()
    assert engine.loop.is_closed()
    hub.abandon()
    hub.leave()()


async def test_a_call_fails_where_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(parse_url("kafka://host"))
    engine = hub.enter()

    async def opened() -> None:
        """Stands for a connection."""

    async def fail(_: Engine) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(engine, "open", opened)
    with pytest.raises(ConnectionResetError):
        await call(engine, fail, blocking=False)
    await asyncio.to_thread(hub.leave())
