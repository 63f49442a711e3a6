"""The contract of a plugin: as it is installed, and with somebody who wants its figures."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from qtasks.testing.conformance import PluginConformance
from qtasks_plugin_metrics import MetricsPlugin, Options


class TestInstalled(PluginConformance):
    @pytest.fixture
    def plugin(self) -> Any:
        return MetricsPlugin


class TestRegistered(PluginConformance):
    @pytest.fixture
    def plugin(self) -> Any:
        return lambda: MetricsPlugin(registry=CollectorRegistry())


class TestServing(PluginConformance):
    @pytest.fixture
    def plugin(self) -> Any:
        return lambda: MetricsPlugin(options=Options(port=0))
