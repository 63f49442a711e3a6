from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks.adapters.memory import MemoryBroker, MemoryStorage
from qtasks.testing.conformance import BrokerConformance, StorageConformance

if TYPE_CHECKING:
    from qtasks.typing import Clock


class TestMemoryBroker(BrokerConformance):
    @pytest.fixture
    def broker(self, clock: Clock) -> MemoryBroker:
        return MemoryBroker(clock=clock)


class TestMemoryStorage(StorageConformance):
    @pytest.fixture
    def storage(self, clock: Clock) -> MemoryStorage:
        return MemoryStorage(clock=clock)
