from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks.adapters.sqlite import SqliteBroker, SqliteStorage
from qtasks.testing.conformance import BrokerConformance, StorageConformance

if TYPE_CHECKING:
    from pathlib import Path

    from qtasks.typing import Clock


class TestSqliteBroker(BrokerConformance):
    @pytest.fixture
    def broker(self, clock: Clock, tmp_path: Path) -> SqliteBroker:
        return SqliteBroker(f"sqlite:///{tmp_path}/queue.db", clock=clock)


class TestSqliteStorage(StorageConformance):
    @pytest.fixture
    def storage(self, clock: Clock, tmp_path: Path) -> SqliteStorage:
        return SqliteStorage(f"sqlite:///{tmp_path}/queue.db", clock=clock)
