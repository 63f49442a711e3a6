"""The contract of a plugin."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from qtasks.testing.conformance import PluginConformance

from qtasks_plugin_audit import AuditPlugin, Options

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class TestAuditPlugin(PluginConformance):
    @pytest.fixture
    def plugin(self, tmp_path: Path) -> Callable[[], AuditPlugin]:
        return partial(AuditPlugin, options=Options(path=str(tmp_path / "audit.jsonl")))
