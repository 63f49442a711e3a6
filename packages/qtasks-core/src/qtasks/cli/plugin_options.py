"""The options of plugins that are used: their values, and where these came from."""

import os
from typing import Any

import msgspec

from qtasks._config import read_plugin_settings
from qtasks._discovery.options import (
    OptionSources,
    options_class,
    shown_option,
    sources_of,
    variable_of,
)
from qtasks._discovery.switches import current_switches
from qtasks.app.base import BaseQueueTasks
from qtasks.schemas import PluginReport

__all__ = ["options_of", "unusable"]


def options_of(app: BaseQueueTasks, report: PluginReport) -> list[dict[str, Any]]:
    """Returns the options of a plugin for people; those that sound secret are masked.

    Args:
        app: the app that has the plugin.
        report: what became of the plugin; one that is not used has no options.
    """
    plugin = app._registry.plugins.get(report.name)  # noqa: SLF001 - no other place has it by name
    declared = plugin and options_class(plugin)
    given = getattr(plugin, "options", None)
    if not declared or not isinstance(given, msgspec.Struct):
        return []
    settings = read_plugin_settings(os.environ)
    places = OptionSources.of(report.name, settings, current_switches())
    sources = sources_of(report.name, given, places)
    return [
        {
            "name": name,
            "value": shown_option(name, getattr(given, name)),
            "source": source.kind,
            "from": str(source),
            "variable": variable_of(report.name, name),
        }
        for name, source in sources.items()
    ]


def unusable(report: PluginReport) -> str:
    """Says why a plugin that is wanted is not used; empty if it is used, or not wanted.

    Args:
        report: what became of it.
    """
    if report.state not in ("refused", "failed"):
        return ""
    return f"{report.state}: {': '.join(filter(None, (report.reason, report.fix)))}"
