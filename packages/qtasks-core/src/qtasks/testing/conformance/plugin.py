"""The suite for plugins."""

from __future__ import annotations

from qtasks.testing.conformance.answering import Answering
from qtasks.testing.conformance.beginning import Beginning
from qtasks.testing.conformance.neighbours import Neighbours
from qtasks.testing.conformance.registering import Registering

__all__ = ["PluginConformance"]


class PluginConformance(Registering, Beginning, Answering, Neighbours):
    """The contract of a plugin.

    The whole test file of a third party::

        class TestMine(PluginConformance):
            @pytest.fixture
            def plugin(self):
                return MyPlugin

    The fixture returns the class, or a function without arguments that makes a plugin; the suite
    makes as many as it needs, and adds them to apps of both kinds whose queues are in memory.

    A plugin that is there to change results says ``MODIFIES = True``. Options by which its users
    add it are :attr:`~Plugging.TRIGGER_NAMES` and :attr:`~Plugging.COMPONENT`.
    """
