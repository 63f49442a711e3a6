"""Nothing that somebody writes to a server forges lines of the log, or steers a terminal."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from qtasks import QueueTasks
from qtasks.adapters.memory import MemoryBroker
from qtasks.contracts.codec import encode_arguments
from qtasks.logs import TaskFilter
from qtasks.plugins import BasePlugin
from qtasks.schemas import Message

if TYPE_CHECKING:
    import pytest

FORGED = "x\n2026-01-01 CRITICAL root: all is lost\r\x1b[2J\x1b]0;owned\x07\u202e\u2028"


class Failing(BasePlugin):
    """Fails wherever it is asked, so that its failures are logged."""

    def start(self) -> None:
        """Needs nothing."""

    def stop(self) -> None:
        """Needs nothing."""

    def trigger(self, name: str, **kwargs: object) -> None:
        """Fails."""
        del kwargs
        raise RuntimeError(name)


def test_names_ids_and_errors_are_escaped(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="qtasks")
    caplog.handler.addFilter(TaskFilter())
    broker = MemoryBroker()
    app = QueueTasks(broker=broker, plugins=[Failing()])

    @app.task("fails")
    def fails(text: str) -> None:
        raise RuntimeError(text)

    async def run() -> None:
        payload = encode_arguments(((FORGED,), {}), "")
        await broker.publish(
            [
                Message(FORGED, FORGED, "default", payload),
                Message(FORGED + "2", "fails", "default", payload),
                Message(FORGED + "3", FORGED, "default", b"\xc1", headers={FORGED: FORGED}),
            ]
        )
        app.config.unknown_task_grace = 0
        await app.worker(burst=True).run()

    asyncio.run(run())

    lines = [record for record in caplog.records if "all is lost" in record.getMessage()]
    assert len(lines) > 3
    for record in caplog.records:
        first, *trace = record.getMessage().split("\n")
        assert first.isprintable()
        assert not trace or " failed (" in first  # where the line breaks of a traceback stay
        assert all(line.replace("\t", "").isprintable() for line in trace)
        extras = vars(record)
        for name in ("task_id", "task_name"):
            assert str(extras.get(name, "")).isprintable()
