"""Starting and stopping plugins: once each, however many clients and workers use them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from qtasks._core.triggers.limits import call_once
from qtasks.contracts.on import choose
from qtasks.contracts.plugin import BasePlugin, Plugin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks._core.triggers.policy import Policy
    from qtasks.contracts.triggers import Role

__all__ = ["PluginLife"]


class PluginLife:
    """Knows which plugins have started, and who still needs them.

    Args:
        policy: what happens when one fails.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._users: dict[str, set[object]] = {}

    async def start(self, user: object, role: Role, plugins: Mapping[str, BasePlugin]) -> None:
        """Starts the plugins that have not started, in order.

        One that fails, or takes too long, is logged and counted; the others start, and its
        triggers still fire.

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
                try:
                    await self._call(name, plugin, "start", role)
                except BaseException:
                    users.discard(user)
                    raise

    async def stop(self, user: object, role: Role, plugins: Mapping[str, BasePlugin]) -> None:
        """Stops the plugins that nobody needs any more, the last one first."""
        for name, plugin in reversed(list(plugins.items())):
            users = self._users.get(name, set())
            if user in users:
                users.remove(user)
                if not users:
                    await self._call(name, plugin, "stop", role)
        if not any(self._users.values()):
            self._policy.threads.close()

    async def _call(
        self, name: str, plugin: BasePlugin, step: Literal["start", "stop"], role: Role
    ) -> None:
        if getattr(type(plugin), step) in (Plugin.start, Plugin.stop):
            return  # the defaults do nothing
        method = getattr(plugin, step)
        try:
            function = partial(method, **choose(method, {"role": role}))
            await call_once(self._policy, function)
        except (Exception, SystemExit) as error:
            await self._policy.tell(name, plugin, step, error)
            if self._policy.raises(name):
                raise
