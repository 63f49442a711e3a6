"""Starting and stopping plugins: once each, however many clients and workers use them."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Literal

from qtasks._core.triggers.emit import plugin_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.contracts.plugin import BasePlugin

__all__ = ["PluginLife", "Role"]

log = logging.getLogger("qtasks.plugins")

#: What a process does with a plugin.
Role = Literal["client", "worker"]


class PluginLife:
    """Knows which plugins have started, and who still needs them."""

    def __init__(self) -> None:
        self._users: dict[str, set[object]] = {}

    async def start(self, user: object, role: Role, plugins: Mapping[str, BasePlugin]) -> None:
        """Starts the plugins that have not started, in order.

        One that fails is logged and counted; the others start, and its triggers still fire.

        Args:
            user: who needs them.
            role: passed on to the plugins' ``start``.
            plugins: by name.
        """
        for name, plugin in plugins.items():
            users = self._users.setdefault(name, set())
            first = not users
            users.add(user)
            if first:
                await _call(name, plugin, "start", role)

    async def stop(self, user: object, role: Role, plugins: Mapping[str, BasePlugin]) -> None:
        """Stops the plugins that nobody needs any more, the last one first."""
        for name, plugin in reversed(list(plugins.items())):
            users = self._users.get(name, set())
            if user in users:
                users.remove(user)
                if not users:
                    await _call(name, plugin, "stop", role)


async def _call(name: str, plugin: BasePlugin, step: Literal["start", "stop"], role: Role) -> None:
    try:
        answer = getattr(plugin, step)(role=role)
        if inspect.isawaitable(answer):
            await answer
    except Exception:
        plugin_errors[name, step] += 1
        log.exception("Plugin %s failed to %s; it is used all the same", name, step)
