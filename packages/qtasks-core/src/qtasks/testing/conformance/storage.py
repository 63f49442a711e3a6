"""The suite for storages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks.testing.conformance.cancelling import Cancelling
from qtasks.testing.conformance.diagnosing import Diagnosing
from qtasks.testing.conformance.fencing import Fencing
from qtasks.testing.conformance.leases import Leases
from qtasks.testing.conformance.letters import Letters
from qtasks.testing.conformance.life import Life
from qtasks.testing.conformance.lines import Line, SplitLine
from qtasks.testing.conformance.outcomes import Outcomes
from qtasks.testing.conformance.piles import Piles
from qtasks.testing.conformance.progressing import Progressing
from qtasks.testing.conformance.records import Records
from qtasks.testing.conformance.split import Split
from qtasks.testing.conformance.state import State
from qtasks.testing.conformance.streaming import Streaming
from qtasks.testing.conformance.sweeping import Sweeping
from qtasks.testing.conformance.uniqueness import Uniqueness
from qtasks.testing.conformance.waiting import Waiting

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker
    from qtasks.contracts.storage import BaseStorage

__all__ = ["StorageConformance"]


class StorageConformance(
    Life,
    Diagnosing,
    Split,
    Outcomes,
    Fencing,
    Leases,
    Sweeping,
    Records,
    Waiting,
    Cancelling,
    Progressing,
    Streaming,
    Letters,
    Piles,
    Uniqueness,
    State,
):
    """The contract of a storage that stands beside a broker elsewhere.

    The whole test file of a third party::

        class TestMine(StorageConformance):
            @pytest.fixture
            async def storage(self, clock):
                return MyStorage("mine://localhost/test", clock=clock)

    The fixture returns a fresh, empty storage that is not started yet (a started one is fine
    too); the suite starts and stops it. See :class:`Conformance` for a server that keeps its own
    time. pytest-asyncio runs in its auto mode, or the fixture is a ``pytest_asyncio.fixture``.
    """

    @pytest.fixture
    def storage(self) -> BaseStorage:
        """The storage under test; to be overridden."""
        msg = "define a fixture named 'storage' that returns a fresh storage"
        raise NotImplementedError(msg)

    @pytest.fixture
    def server(self, storage: BaseStorage) -> BaseBroker | BaseStorage:
        """The storage, for the tests that brokers and storages share."""
        return storage

    @pytest.fixture
    def line(self, storage: BaseStorage) -> Line:
        """Drives the storage as an engine with a broker elsewhere does."""
        return SplitLine(storage)
