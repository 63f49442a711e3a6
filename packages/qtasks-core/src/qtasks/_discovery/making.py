"""From what an entry point leads to, to a plugin: a class, a factory, an instance or a module."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import TYPE_CHECKING, Any

from qtasks._discovery.options import options_class, read_options
from qtasks._triggers.hooks import hooks_of
from qtasks.contracts.plugin import BasePlugin

if TYPE_CHECKING:
    from qtasks._discovery.options import OptionSources

__all__ = ["make_plugin"]


def make_plugin(found: Any, name: str, sources: OptionSources) -> Any:
    """Makes the plugin, and gives it its name and options.

    Args:
        found: what the entry point leads to.
        name: the plugin's name.
        sources: where its options stand.

    Raises:
        ConfigError: an option cannot be used.
        TypeError: it is nothing that can be a plugin.
        Exception: whatever making it raises.
    """
    plugin = found
    if callable(found) and not isinstance(found, BasePlugin | ModuleType):
        plugin = _called(found, name, sources)
    if isinstance(plugin, BasePlugin):
        if plugin.name != name:
            plugin.name = name
        declared = options_class(plugin)
        if declared is not None and not isinstance(plugin.options, declared):
            plugin.options = read_options(name, declared, sources)
    elif not hooks_of(plugin):
        msg = (
            f"{_named(found)} is no plugin: an entry point leads to a class that derives from"
            " qtasks.plugins.BasePlugin, to an instance of one, to a function that returns one,"
            " or to a module or an object with functions marked by @hookimpl"
        )
        raise TypeError(msg)
    return plugin


def _called(make: Any, name: str, sources: OptionSources) -> Any:
    declared = options_class(make)
    if declared is None or not _takes_options(make):
        return make()
    return make(options=read_options(name, declared, sources))


def _takes_options(make: Any) -> bool:
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):  # of a class written in another language
        return False
    return any(parameter.name == "options" for parameter in parameters)


def _named(found: Any) -> str:
    name = getattr(found, "__qualname__", None)
    return f"{found.__module__}.{name}" if name else repr(found)
