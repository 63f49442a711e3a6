from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings

from qtasks.adapters.memory import MemoryBroker
from qtasks.testing.conformance import BrokerMachine

if TYPE_CHECKING:
    from qtasks.typing import Clock


class MemoryMachine(BrokerMachine):
    def make_broker(self, clock: Clock) -> MemoryBroker:
        return MemoryBroker(clock=clock)


TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = settings(max_examples=100, stateful_step_count=60)
