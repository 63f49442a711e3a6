"""Apps with metrics, and a look at what these show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry

from qtasks.testing import make_app
from qtasks_plugin_metrics import MetricsPlugin

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks import QueueTasks


class Measured:
    """An app in memory with metrics in a registry.

    Attributes:
        app: the app.
        plugin: its plugin.
    """

    def __init__(self, *plugins: Any, **settings: Any) -> None:
        options = MetricsPlugin.Options(**settings)
        self.plugin = MetricsPlugin(options=options, registry=CollectorRegistry())
        self.app: QueueTasks = make_app("sync", plugins=[self.plugin, *plugins])

    def value(self, name: str, **labels: str) -> float | None:
        """Returns what a sample shows, or None if it is not there."""
        return self.plugin.registry.get_sample_value(name, labels)

    def by(self, name: str, label: str) -> dict[str, float]:
        """Returns what the samples of a name show that is not 0, by one of their labels."""
        found: dict[str, float] = {}
        for family in self.plugin.registry.collect():
            for sample in family.samples:
                if sample.name == name and sample.value:
                    key = sample.labels[label]
                    found[key] = found.get(key, 0) + sample.value
        return found


@pytest.fixture
def measured() -> Measured:
    """An app with metrics."""
    return Measured()


@pytest.fixture
def make_measured() -> Callable[..., Measured]:
    """Makes apps with metrics: with other plugins and options."""
    return Measured
