"""The contracts in executable form.

Inherit from a suite, define one fixture, and run pytest::

    class TestMine(BrokerConformance):
        @pytest.fixture
        async def broker(self, clock):
            return MyBroker("mine://localhost/test", clock=clock)

    class TestMyPlugin(PluginConformance):
        @pytest.fixture
        def plugin(self):
            return MyPlugin

Each test's docstring states the rule, and what to look at when it fails.
"""

from __future__ import annotations

from qtasks.testing.conformance.base import CONTRACT, Conformance, needs, since
from qtasks.testing.conformance.broker import BrokerConformance
from qtasks.testing.conformance.machine import BrokerMachine
from qtasks.testing.conformance.plugin import PluginConformance
from qtasks.testing.conformance.storage import StorageConformance

__all__ = [
    "CONTRACT",
    "BrokerConformance",
    "BrokerMachine",
    "Conformance",
    "PluginConformance",
    "StorageConformance",
    "needs",
    "since",
]
