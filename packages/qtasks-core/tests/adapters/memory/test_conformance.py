from __future__ import annotations

import pytest

from qtasks.adapters.memory import MemoryStorage
from qtasks.testing.conformance import StorageConformance
from qtasks.typing import Clock


class TestMemoryStorage(StorageConformance):
    @pytest.fixture
    def storage(self, clock: Clock) -> MemoryStorage:
        return MemoryStorage(clock=clock)
