"""Which files are made, and how."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from metrics_assets.dashboard import dashboard
from metrics_assets.page import filled
from metrics_assets.rules import RULES_NAME, rules, rules_test

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ASSETS", "FILES", "PAGE"]

_ROOT: Final = Path(__file__).parents[2]
_PACKAGE: Final = _ROOT / "packages" / "qtasks-plugin-metrics"
PAGE: Final = _ROOT / "docs" / "metrics.md"
ASSETS: Final = _PACKAGE / "src" / "qtasks_plugin_metrics" / "assets"
FILES: Final[dict[Path, Callable[[], str]]] = {
    ASSETS / "qtasks-dashboard.json": dashboard,
    ASSETS / RULES_NAME: rules,
    ASSETS / "qtasks-rules.test.yml": rules_test,
    PAGE: lambda: filled(PAGE.read_text("utf-8")),
}
