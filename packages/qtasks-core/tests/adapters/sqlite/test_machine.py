from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from hypothesis import settings

from qtasks.adapters.sqlite import SqliteBroker
from qtasks.testing.conformance import BrokerMachine

if TYPE_CHECKING:
    from qtasks.typing import Clock


class SqliteMachine(BrokerMachine):
    """Compares the broker, step by step, with the model of the contract."""

    def make_broker(self, clock: Clock) -> SqliteBroker:
        self.place = tempfile.TemporaryDirectory()
        return SqliteBroker(f"sqlite:///{self.place.name}/queue.db", clock=clock)

    def teardown(self) -> None:
        super().teardown()
        self.place.cleanup()


TestSqliteMachine = SqliteMachine.TestCase
TestSqliteMachine.settings = settings(max_examples=50, stateful_step_count=50)
