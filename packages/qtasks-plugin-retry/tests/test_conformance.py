"""The contract of a plugin."""

from __future__ import annotations

import pytest

from qtasks.testing.conformance import PluginConformance
from qtasks_plugin_retry import RetryPlugin


class TestRetry(PluginConformance):
    @pytest.fixture
    def plugin(self) -> type[RetryPlugin]:
        return RetryPlugin
