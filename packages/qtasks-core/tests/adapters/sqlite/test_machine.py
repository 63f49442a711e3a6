from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis.stateful import invariant

from qtasks.adapters.sqlite import SqliteBroker
from qtasks.adapters.sqlite.states import DONE, LEASED, OUTBOX, READY, SCHEDULED, SUSPECT
from qtasks.testing.conformance import BrokerMachine

if TYPE_CHECKING:
    from qtasks.typing import Clock

COUNTED = f"""
    SELECT queue, total(state IN ({READY}, {SUSPECT})), total(state IN ({SCHEDULED}, {OUTBOX})),
        total(state = {LEASED}), total(state = {DONE}), total(dead)
    FROM task GROUP BY queue
"""
KEPT = """
    SELECT name, ready, delayed, leased, finished, dead FROM queue
    WHERE ready OR delayed OR leased OR finished OR dead
"""


class SqliteMachine(BrokerMachine):
    def make_broker(self, clock: Clock) -> SqliteBroker:
        self.place = tempfile.TemporaryDirectory()
        return SqliteBroker(f"sqlite:///{self.place.name}/queue.db", clock=clock)

    @invariant()
    def kept_counts_are_right(self) -> None:
        """The counts that are kept are those one would count."""
        with closing(sqlite3.connect(f"{self.place.name}/queue.db")) as conn:
            counted = [row for row in conn.execute(COUNTED) if any(row[1:])]
            assert sorted(conn.execute(KEPT)) == sorted(counted)

    def teardown(self) -> None:
        super().teardown()
        self.place.cleanup()


TestSqliteMachine = SqliteMachine.TestCase
TestSqliteMachine.settings = settings(max_examples=60, stateful_step_count=50)
