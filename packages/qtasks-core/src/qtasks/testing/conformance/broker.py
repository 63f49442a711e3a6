"""The suite for brokers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks.testing.conformance.cancelling import Cancelling
from qtasks.testing.conformance.claiming import Claiming
from qtasks.testing.conformance.crowds import Crowds
from qtasks.testing.conformance.diagnosing import Diagnosing
from qtasks.testing.conformance.dying import Dying
from qtasks.testing.conformance.fencing import Fencing
from qtasks.testing.conformance.leases import Leases
from qtasks.testing.conformance.letters import Letters
from qtasks.testing.conformance.life import Life
from qtasks.testing.conformance.lines import JoinedLine, Line
from qtasks.testing.conformance.outcomes import Outcomes
from qtasks.testing.conformance.overview import Overview
from qtasks.testing.conformance.piles import Piles
from qtasks.testing.conformance.progressing import Progressing
from qtasks.testing.conformance.publishing import Publishing
from qtasks.testing.conformance.records import Records
from qtasks.testing.conformance.state import State
from qtasks.testing.conformance.streaming import Streaming
from qtasks.testing.conformance.sweeping import Sweeping
from qtasks.testing.conformance.uniqueness import Uniqueness
from qtasks.testing.conformance.waiting import Waiting
from qtasks.testing.conformance.waking import Waking

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker
    from qtasks.contracts.storage import BaseStorage

__all__ = ["BrokerConformance"]


class BrokerConformance(
    Life,
    Diagnosing,
    Publishing,
    Claiming,
    Dying,
    Waking,
    Overview,
    Crowds,
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
    """The contract of a broker, and of the storage on the same server if it has one.

    The whole test file of a third party::

        class TestMine(BrokerConformance):
            @pytest.fixture
            async def broker(self, clock):
                return MyBroker("mine://localhost/test", clock=clock)

    The fixture returns a fresh, empty broker that is not started yet (a started one is fine
    too); the suite starts and stops it. See :class:`Conformance` for a server that keeps its own
    time. pytest-asyncio runs in its auto mode, or the fixture is a ``pytest_asyncio.fixture``.

    Tests of what the broker does not claim are skipped. A broker without a storage of its own
    is not asked for tokens, losses and records either: the storage beside it keeps those.
    """

    @pytest.fixture
    def broker(self) -> BaseBroker:
        """The broker under test; to be overridden."""
        msg = "define a fixture named 'broker' that returns a fresh broker"
        raise NotImplementedError(msg)

    @pytest.fixture
    def server(self, broker: BaseBroker) -> BaseBroker | BaseStorage:
        """The broker, for the tests that brokers and storages share."""
        return broker

    @pytest.fixture
    def line(self, broker: BaseBroker) -> Line:
        """Drives broker and storage as an engine does."""
        if broker.storage is None:
            pytest.skip("this broker keeps no records; StorageConformance asks who does")
        return JoinedLine(broker, broker.storage, self.QUEUE)
