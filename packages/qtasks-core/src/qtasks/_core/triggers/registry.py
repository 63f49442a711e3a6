"""Registrations of plugins, and the tables compiled from them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import msgspec
import pluggy

from qtasks._core.bridge import is_async_callable
from qtasks._core.discovery.hooks import holder_of
from qtasks._core.triggers.life import PluginLife, Role
from qtasks._core.triggers.subscription import Subscribers, Subscription
from qtasks._core.triggers.table import TriggerTable
from qtasks.contracts import hookspecs
from qtasks.contracts.plugin import BasePlugin
from qtasks.contracts.triggers import CATALOGUE, COMPONENTS
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qtasks.schemas import TaskDefinition

__all__ = ["TriggerRegistry"]


class _Registration(msgspec.Struct, frozen=True):
    plugin: BasePlugin
    name: str
    triggers: frozenset[str]


class TriggerRegistry:
    """Who listens to what in one app.

    pluggy keeps the names, finds duplicates and calls the cold hooks; the hot triggers are
    executed through the compiled :attr:`table`.
    """

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager("qtasks")
        self.manager.add_hookspecs(hookspecs)
        self.catalogue = dict(CATALOGUE)
        self.table = TriggerTable()
        self._registrations: list[_Registration] = []
        self._tables: dict[str, TriggerTable] = {}
        self._life = PluginLife()
        self.client_needs_loop = False

    @property
    def plugins(self) -> dict[str, BasePlugin]:
        """The registered plugins by name, in order."""
        return {entry.name: entry.plugin for entry in self._registrations}

    def add(
        self,
        plugin: Any,
        trigger_names: Iterable[str] | None = None,
        component: str | None = None,
    ) -> None:
        """Registers a plugin and compiles the table anew.

        Args:
            plugin: an instance.
            trigger_names: the triggers it gets; None for all of the component.
            component: ``worker``, ``broker``, ...; None for all components.

        Raises:
            RegistrationError: it is not a plugin, its name is taken, or a trigger or component
                does not exist.
        """
        if not isinstance(plugin, BasePlugin):
            msg = (
                f"add_plugin({plugin!r}): expected an instance of qtasks.plugins.BasePlugin"
                f"{' (call the class)' if isinstance(plugin, type) else ''}"
            )
            raise RegistrationError(msg)
        name = plugin.name or type(plugin).__name__
        triggers = _triggers(name, trigger_names, component)
        existing = self.plugins.get(name)
        if existing is not None and existing is not plugin:
            msg = f"a plugin named {name!r} is registered: give this one another name="
            raise RegistrationError(msg)
        if existing is None:
            self.manager.register(holder_of(plugin), name)
        self._registrations.append(_Registration(plugin, name, triggers))
        self.table = self._compile(self._registrations)
        self._tables = {}
        self.client_needs_loop = any(map(_is_async, self.client_plugins.values()))

    @property
    def client_plugins(self) -> dict[str, BasePlugin]:
        """The plugins that listen to a trigger of the client side."""
        return {entry.name: entry.plugin for entry in self._registrations if _on_client(entry)}

    async def start(self, user: object, role: Role) -> None:
        """Starts the plugins that ``user`` needs and that nobody has started yet."""
        await self._life.start(user, role, self._needed(role))

    async def stop(self, user: object, role: Role) -> None:
        """Stops the plugins that nobody but ``user`` needed."""
        await self._life.stop(user, role, self._needed(role))

    def _needed(self, role: Role) -> dict[str, BasePlugin]:
        return self.client_plugins if role == "client" else self.plugins

    def table_for(self, task: TaskDefinition) -> TriggerTable:
        """Returns the table of one task: only plugins that say they apply to it."""
        table = self._tables.get(task.name)
        if table is None:
            applying = [entry for entry in self._registrations if entry.plugin.applies(task)]
            same = len(applying) == len(self._registrations)
            table = self._tables[task.name] = self.table if same else self._compile(applying)
        return table

    def _compile(self, registrations: list[_Registration]) -> TriggerTable:
        subscribers: dict[str, Subscribers] = {}
        for trigger in CATALOGUE:
            listening = {e.name: e.plugin for e in registrations if trigger in e.triggers}
            subscribers[trigger] = tuple(
                _subscribe(plugin, name, trigger) for name, plugin in listening.items()
            )
        return TriggerTable(**subscribers)


def _on_client(entry: _Registration) -> bool:
    return any(CATALOGUE[name].component == "qtasks" for name in entry.triggers)


def _is_async(plugin: BasePlugin) -> bool:
    return any(map(is_async_callable, (plugin.trigger, plugin.start, plugin.stop)))


def _subscribe(plugin: BasePlugin, name: str, trigger: str) -> Subscription:
    def call(arguments: Mapping[str, Any]) -> Any:
        return plugin.trigger(trigger, **arguments)

    return Subscription(name, call, is_async_callable(plugin.trigger))


def _triggers(
    plugin: str, trigger_names: Iterable[str] | None, component: str | None
) -> frozenset[str]:
    if component is not None and component not in COMPONENTS:
        msg = (
            f"plugin {plugin!r}: unknown component {component!r}{_near(component, COMPONENTS)};"
            f" known are {', '.join(COMPONENTS)}"
        )
        raise RegistrationError(msg)
    if trigger_names is not None:
        names = frozenset([trigger_names] if isinstance(trigger_names, str) else trigger_names)
        for name in sorted(names - CATALOGUE.keys()):
            msg = f"plugin {plugin!r}: unknown trigger {name!r}{_near(name, CATALOGUE)}"
            raise RegistrationError(msg)
        return names
    if component is None:
        return frozenset(CATALOGUE)
    wanted = COMPONENTS[component]
    return frozenset(name for name, spec in CATALOGUE.items() if spec.component in wanted)


def _near(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
