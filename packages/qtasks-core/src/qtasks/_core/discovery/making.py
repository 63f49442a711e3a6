"""From what an entry point leads to, to a plugin: a class, a factory, an instance or a module."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import TYPE_CHECKING, Any

from qtasks._core.discovery.hooks import hooks_of
from qtasks.contracts.plugin import BasePlugin

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

__all__ = ["make_plugin"]


def make_plugin(found: Any, options: Callable[[], msgspec.Struct | None]) -> Any:
    """Makes the plugin.

    Args:
        found: what the entry point leads to.
        options: makes its options; called only if the plugin is made here.

    Raises:
        TypeError: it is nothing that can be a plugin.
        Exception: whatever making it raises.
    """
    if isinstance(found, BasePlugin | ModuleType):
        plugin = found
    elif callable(found):
        plugin = _called(found, options())
    else:
        plugin = found
    if not isinstance(plugin, BasePlugin) and not hooks_of(plugin):
        msg = (
            f"{_named(found)} is no plugin: an entry point leads to a class that derives from"
            " qtasks.plugins.BasePlugin, to an instance of one, to a function that returns one,"
            " or to a module or an object with functions marked by @hookimpl"
        )
        raise TypeError(msg)
    return plugin


def _called(make: Any, options: msgspec.Struct | None) -> Any:
    if options is None:
        return make()
    if _takes_options(make):
        return make(options=options)
    plugin = make()
    plugin.options = options
    return plugin


def _takes_options(make: Any) -> bool:
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):  # of a class written in another language
        return False
    return any(parameter.name == "options" for parameter in parameters)


def _named(found: Any) -> str:
    name = getattr(found, "__qualname__", None)
    return f"{found.__module__}.{name}" if name else repr(found)
