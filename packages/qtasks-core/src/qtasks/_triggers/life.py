"""Starting and stopping plugins: once each, however many clients and workers use them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from qtasks._triggers.limits import call_once
from qtasks._triggers.starting import Starting
from qtasks._triggers.steering import is_failure
from qtasks.contracts.on import choose
from qtasks.contracts.plugin import BasePlugin, Plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtasks._triggers.policy import Policy
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
        self._lock = threading.Lock()
        self._starting = Starting()
        self._late: set[asyncio.Task[None]] = set()
        self._workers: dict[object, asyncio.AbstractEventLoop] = {}

    def join(self, name: str, plugin: BasePlugin) -> None:
        """Starts a plugin that is added while workers run; clients do it with their next call."""
        for user, loop in list(self._workers.items()):
            start = partial(self.start, user, "worker", {name: plugin})
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._soon, loop, start)

    def _soon(self, loop: asyncio.AbstractEventLoop, start: Callable[[], Any]) -> None:
        starting = loop.create_task(start())
        self._late.add(starting)  # the loop itself may forget it
        starting.add_done_callback(self._late.discard)

    async def start(self, user: object, role: Role, plugins: Mapping[str, BasePlugin]) -> None:
        """Starts the plugins that have not started, in order.

        One that fails, or takes too long, is logged and counted; the others start, and its
        triggers still fire. One that somebody else is starting is waited for.

        Args:
            user: who needs them.
            role: passed on to the plugins' ``start``.
            plugins: by name.
        """
        if role == "worker":
            self._workers[user] = asyncio.get_running_loop()
        for name, plugin in plugins.items():
            if self._is_first(user, name):
                try:
                    await self._starting.finish(name, self._call(name, plugin, "start", role))
                except BaseException:
                    self._users[name].discard(user)
                    raise
            elif name in self._starting.begun:
                await self._starting.wait(name)

    def _is_first(self, user: object, name: str) -> bool:
        """Notes that somebody needs a plugin; tells whether nobody did so before."""
        if user in self._users.get(name, ()):
            return False  # as with most calls of a client
        with self._lock:
            users = self._users.setdefault(name, set())
            first = not users
            users.add(user)
            if first:
                self._starting.begin(name)
            return first

    async def stop(self, user: object, role: Role, plugins: Mapping[str, BasePlugin]) -> None:
        """Stops the plugins that nobody needs any more, the last one first."""
        self._workers.pop(user, None)
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
        except BaseException as error:
            if not is_failure(error):
                raise
            await self._policy.tell(name, plugin, step, error)
            if self._policy.raises(name):
                raise
