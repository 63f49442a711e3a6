"""The contract of a plugin, without a client and with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qtasks.testing.conformance import PluginConformance
from qtasks_plugin_sentry import SentryPlugin

if TYPE_CHECKING:
    from collections.abc import Callable


class TestIdle(PluginConformance):
    @pytest.fixture
    def plugin(self) -> type[SentryPlugin]:
        return SentryPlugin


class TestAtWork(PluginConformance):
    @pytest.fixture
    def plugin(self, sentry: Any) -> Callable[..., SentryPlugin]:
        return lambda *args, **kwargs: SentryPlugin(*args, report="every", **kwargs)
