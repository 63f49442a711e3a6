"""Whether a plugin and this core speak the same version of the plugin API."""

from __future__ import annotations

import re
from typing import Any, Final

from qtasks.contracts.plugin import PLUGIN_API_VERSION

__all__ = ["NEWER_FIX", "api_mismatch", "newer_api", "shown_api"]

#: What to do about a plugin that is newer than this core.
NEWER_FIX: Final = "pip install --upgrade qtasks-core"
_VERSION: Final = re.compile(r"(\d+)(?:\.(\d+))?")


def api_mismatch(declared: Any) -> tuple[str, str] | None:
    """Returns why a plugin of this API cannot be used, and what to do; None if it can.

    Args:
        declared: what the plugin says; None counts as 1.0, which was the first.
    """
    theirs = _parsed(declared)
    if theirs is None:
        return (
            f"plugin_api = {declared!r} is no version",
            f'write plugin_api = "{PLUGIN_API_VERSION}" in the plugin',
        )
    major = _ours()[0]
    if theirs[0] == major:
        return None
    reason = f"it needs plugin API {theirs[0]}.x, and this core speaks {PLUGIN_API_VERSION}"
    if theirs[0] > major:
        return reason, NEWER_FIX
    return reason, "upgrade the plugin"


def newer_api(declared: Any) -> str:
    """Says that a plugin may use what this core does not have yet; empty if it does not."""
    theirs = _parsed(declared)
    if theirs is None or theirs <= _ours():
        return ""
    return f"it was written for plugin API {declared}, and this core speaks {PLUGIN_API_VERSION}"


def shown_api(declared: Any) -> str:
    """Returns what a plugin says of its API, for tables."""
    return "" if declared is None else str(declared)


def _parsed(declared: Any) -> tuple[int, int] | None:
    if declared is None:
        return 1, 0
    found = _VERSION.fullmatch(declared) if isinstance(declared, str) else None
    return (int(found[1]), int(found[2] or 0)) if found else None


def _ours() -> tuple[int, int]:
    ours = _parsed(PLUGIN_API_VERSION)
    assert ours is not None  # noqa: S101 - it is ours
    return ours
