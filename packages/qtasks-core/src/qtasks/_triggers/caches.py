"""``plugin_cache``: what a plugin that answers by ``trigger()`` may keep from call to call.

An answer may hold the key ``plugin_cache`` beside the documented ones; its value comes back as
the argument of that name in the later triggers of the same run, to the same plugin alone. It is
gone when the run is. Plugins with marked methods have ``Plugin.state`` instead.
"""

from __future__ import annotations

import inspect
import weakref
from typing import TYPE_CHECKING, Any, Final

from qtasks.contracts.runs import first_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtasks.contracts.plugin import BasePlugin
    from qtasks.schemas import Delivery

__all__ = ["PLUGIN_CACHE", "Caches"]

#: The key, and the argument, under which it travels.
PLUGIN_CACHE: Final = "plugin_cache"


class Caches:
    """What one plugin keeps, run by run."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[weakref.ref[Delivery], Any]] = {}

    def calling(self, plugin: BasePlugin, name: str) -> Callable[[Mapping[str, Any]], Any]:
        """Returns what calls a plugin's ``trigger``, with its cache if there is one."""
        kept = self._kept
        if not _accepts(plugin.trigger):
            return lambda arguments: plugin.trigger(name, **arguments)

        def call(arguments: Mapping[str, Any]) -> Any:
            if kept and (found := kept.get(id(_delivery(arguments)))):
                return plugin.trigger(name, **arguments, **{PLUGIN_CACHE: found[1]})
            return plugin.trigger(name, **arguments)

        return call

    def take(self, answer: dict[str, Any], arguments: Mapping[str, Any]) -> Any:
        """Keeps what an answer holds under ``plugin_cache``; returns the rest, None if empty."""
        delivery = _delivery(arguments)
        if delivery is not None:
            key, kept = id(delivery), self._kept
            if answer[PLUGIN_CACHE]:
                forget = weakref.ref(delivery, lambda _: kept.pop(key, None))
                kept[key] = (forget, answer[PLUGIN_CACHE])
            else:
                kept.pop(key, None)
        return {name: value for name, value in answer.items() if name != PLUGIN_CACHE} or None


def _delivery(arguments: Mapping[str, Any]) -> Delivery | None:
    """Returns the run that a trigger belongs to."""
    delivery: Delivery | None = arguments.get("task_broker")
    if delivery is None:
        delivery = getattr(arguments.get("task_executor"), "task_broker", None)
    return None if delivery is None else first_of(delivery)


def _accepts(trigger: Any) -> bool:
    parameters = inspect.signature(trigger).parameters
    return PLUGIN_CACHE in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
