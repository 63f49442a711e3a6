"""Plugins that come with QTasks; they use what any plugin can use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks._builtin.depends.plugin import DependsPlugin
from qtasks._builtin.state.plugin import StatePlugin

if TYPE_CHECKING:
    from qtasks.contracts.plugin import BasePlugin

__all__ = ["builtin_plugins"]


def builtin_plugins() -> dict[str, BasePlugin]:
    """Makes the built-in plugins of one app, by name."""
    return {"depends": DependsPlugin(), "state": StatePlugin()}
