"""The broker's conformance, on a server that speaks Kafka's protocol."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from qtasks.contracts.clock import SystemClock
from qtasks.testing.conformance import BrokerConformance
from qtasks_broker_kafka import KafkaBroker
from qtasks_broker_kafka.names import topic_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.schemas import Claim, Delivery
    from qtasks.typing import Clock
    from qtasks_broker_kafka.engine import Engine


class Prompt(KafkaBroker):
    """Claims what was published before, as the suite expects it, and not what was fetched.

    A log is read in the background, so a claim finds a task a moment after it was published, and
    the first one joins the group. This broker waits for both, and changes nothing else.
    """

    async def claim(self, request: Claim) -> list[Delivery]:
        """Waits until everything in the log was fetched."""
        self._want(
            [*request.queues, *await self.queues()]
        )  # a worker knows its queues from the start
        await self._call(lambda engine: _caught_up(engine, request.queues))
        return await super().claim(request)

    async def ready(self, queues: Sequence[str], timeout: float) -> bool:
        """Joins the group before it waits."""
        self._want([*queues, *await self.queues()])
        await self._call(lambda engine: _caught_up(engine, queues))
        return await super().ready(queues, timeout)


async def _caught_up(engine: Engine, queues: Sequence[str]) -> None:
    until = time.monotonic() + 20
    for queue in queues:
        while time.monotonic() < until:
            found = await engine.counting.partitions(queue, ages=False)
            fetched = {place: t.next or 0 for place, t in engine.consuming.trackers.items()}
            topic = topic_of(engine.options.prefix, queue)
            if all(fetched.get((topic, one.partition), 0) >= one.end for one in found):
                break
            await asyncio.sleep(0.005)


class TestKafka(BrokerConformance):
    TIME_SCALE: ClassVar[float] = 0.02

    @pytest.fixture
    def clock(self) -> Clock:
        return SystemClock()

    @pytest.fixture
    def broker(self, kafka: str) -> Any:
        return Prompt(f"{kafka}?partitions=1")
