"""Registrations of plugins, and the tables compiled from them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import pluggy

from qtasks._runtime.bridge import is_async_callable
from qtasks._triggers.added import collect_added, fire, make_table
from qtasks._triggers.caches import Caches
from qtasks._triggers.hooks import holder_of
from qtasks._triggers.life import PluginLife
from qtasks._triggers.near import near
from qtasks._triggers.order import in_order
from qtasks._triggers.policy import Policy
from qtasks._triggers.registration import Registration
from qtasks._triggers.spelling import is_async, subscribe
from qtasks._triggers.steering import is_failure
from qtasks._triggers.table import TriggerTable
from qtasks._triggers.wanted import find_wanted
from qtasks.contracts import hookspecs
from qtasks.contracts.on import Order, as_names, check_order
from qtasks.contracts.plugin import BasePlugin
from qtasks.contracts.triggers import CATALOGUE
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtasks._triggers.subscription import Subscribers, Subscription
    from qtasks.contracts.triggers import Role, TriggerSpec
    from qtasks.schemas import TaskDefinition

__all__ = ["AddOptions", "TriggerRegistry"]


class AddOptions(TypedDict, total=False):
    """How a plugin is added.

    Attributes:
        order: ``first`` or ``last``; None for what its methods say.
        before: plugins that are asked later.
        after: plugins that are asked earlier.
        on_error: ``log`` or ``raise``; None for what its class says.
    """

    order: Order | None
    before: str | Iterable[str]
    after: str | Iterable[str]
    on_error: Literal["log", "raise"] | None


class TriggerRegistry:
    """Who listens to what in one app.

    pluggy keeps the names and calls the cold hooks; the hot triggers are executed through the
    compiled :attr:`table`. It is compiled with each plugin that is added, and then replaced: who
    is being asked already is asked to the end as before, and the next trigger has the new one.
    Workers that run start the plugin then.

    Args:
        policy: what happens when a plugin fails.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.policy.listeners = lambda: self.table.plugin_error
        self.manager = pluggy.PluginManager("qtasks")
        self.manager.add_hookspecs(hookspecs)
        self.catalogue = dict(CATALOGUE)
        self.table = TriggerTable()
        self._registrations: tuple[Registration, ...] = ()
        self._tables: dict[str, TriggerTable] = {}
        self._by_role: dict[Role, dict[str, BasePlugin]] = {}
        self._modules: list[Any] = []
        self._life = PluginLife(self.policy)
        self._client_is_async = False
        self._watch: Callable[[Subscription], Subscription] | None = None

    @property
    def plugins(self) -> dict[str, BasePlugin]:
        """The registered plugins by name, in order."""
        return {entry.name: entry.plugin for entry in self._registrations}

    @property
    def client_needs_loop(self) -> bool:
        """Whether the client side has to run on a loop."""
        return self._client_is_async or self.policy.needs_loop

    def add(
        self,
        plugin: Any,
        trigger_names: Iterable[str] | None = None,
        component: str | None = None,
        *,
        origin: str | None = None,
        **how: Unpack[AddOptions],
    ) -> None:
        """Registers a plugin and compiles the table anew.

        Args:
            plugin: an instance.
            trigger_names: the triggers it gets; None for all of the component.
            component: ``worker``, ``broker``, ...; None for all components.
            origin: its distribution and version, for messages; None to find out when needed.
            **how: see :class:`AddOptions`.

        Raises:
            TypeError: there is no such keyword.
            RegistrationError: it is not a plugin, its name is taken, a trigger or component
                does not exist, a method does not fit, or the order is impossible. Nothing was
                changed then, but for the triggers that it brings.
        """
        name = self._check_plugin(plugin)
        _check_keywords(how)
        hooks = holder_of(plugin)
        self.declare(getattr(hooks, "qtasks_add_triggers", tuple)())
        wanted = None if trigger_names is None else frozenset(as_names(trigger_names))
        methods, triggers = find_wanted(plugin, name, self.catalogue, wanted, component)
        check_order(f"plugin {name!r}", how.get("order"))
        raises = _raises(name, plugin, how.get("on_error"))
        known = [entry for entry in self._registrations if entry.name == name]
        entry = Registration(
            plugin,
            name,
            methods,
            triggers,
            trigger_names=wanted,
            component=component,
            order=how.get("order"),
            before=as_names(how.get("before", ())),
            after=as_names(how.get("after", ())),
            caches=known[0].caches if known else Caches(),
        )
        registrations = (*self._registrations, entry)
        table = self._compile(registrations, self.catalogue)
        if not known:
            self.manager.register(hooks, name)
            vars(plugin).setdefault("_apps", []).append(partial(fire, self))
        if raises:
            self.policy.raising.add(name)
        if origin is not None:
            self.policy.origins[name] = origin
        self._use(registrations, table)
        self._life.join(name, plugin)

    def add_triggers(self, module: Any) -> None:
        """Adds the triggers that a module declares; plugins get those that they want.

        Args:
            module: the module; one that was added before adds nothing.

        Raises:
            RegistrationError: a trigger cannot be added, or a plugin has marked a method for it
                that does not fit. Nothing was changed then.
        """
        if module in self._modules:
            return
        catalogue = {**self.catalogue, **collect_added(module, self.catalogue)}
        registrations = tuple(entry.anew(catalogue) for entry in self._registrations)
        table = self._compile(registrations, catalogue)
        self._modules.append(module)
        self.catalogue = catalogue
        self._use(registrations, table)

    def declare(self, modules: Any) -> None:
        """Adds what the hook ``qtasks_add_triggers`` returned: a module, several, or None."""
        several = modules if isinstance(modules, Iterable) else [modules]
        for module in several if modules is not None else ():
            self.add_triggers(module)

    def _use(self, registrations: tuple[Registration, ...], table: TriggerTable) -> None:
        self._registrations, self.table, self._tables = registrations, table, {}
        self._by_role = {}
        self._client_is_async = any(map(is_async, self._needed("client").values()))

    def watch(self, wrap: Callable[[Subscription], Subscription]) -> None:
        """Has every subscription replaced by what a function makes of it, to look on.

        Args:
            wrap: see :func:`~qtasks._triggers.tracing.traced`.
        """
        self._watch = wrap
        self.table, self._tables = self._compile(self._registrations, self.catalogue), {}

    async def start(self, user: object, role: Role) -> None:
        """Starts the plugins that ``user`` needs and that nobody has started yet."""
        await self._life.start(user, role, self._needed(role))

    async def stop(self, user: object, role: Role) -> None:
        """Stops the plugins that nobody but ``user`` needed."""
        await self._life.stop(user, role, self._needed(role))

    def _needed(self, role: Role) -> dict[str, BasePlugin]:
        needed = self._by_role.get(role)
        if needed is None:
            entries = self._registrations
            if role != "worker":
                entries = tuple(entry for entry in entries if self._fires_in(role, entry))
            needed = self._by_role[role] = {entry.name: entry.plugin for entry in entries}
        return needed

    def table_for(self, task: TaskDefinition) -> TriggerTable:
        """Returns the table of one task: only plugins that say they apply to it."""
        table = self._tables.get(task.name)
        if table is None:
            found = [self._for(entry, task) for entry in self._registrations]
            applying = tuple(entry for entry in found if entry is not None)
            same = all(a is b for a, b in zip(found, self._registrations, strict=True))
            table = self.table if same else self._compile(applying, self.catalogue)
            self._tables[task.name] = table
        return table

    def _check_plugin(self, plugin: Any) -> str:
        """Returns the name of what is to be registered."""
        if not isinstance(plugin, BasePlugin):
            msg = (
                f"add_plugin({plugin!r}): expected an instance of qtasks.plugins.BasePlugin"
                f"{' (call the class)' if isinstance(plugin, type) else ''}"
            )
            raise RegistrationError(msg)
        name: Any = plugin.name or type(plugin).__name__
        if not isinstance(name, str) or not name.isprintable() or "," in name:
            msg = f"a plugin is named {name!r:.100}: use printable text without commas"
            raise RegistrationError(msg)
        if is_async_callable(plugin.applies):
            msg = f"plugin {name!r}: applies() is asked where nothing can be awaited: make it a def"
            raise RegistrationError(msg)
        if self.plugins.get(name, plugin) is not plugin:
            msg = f"a plugin named {name!r} is registered: give this one another name="
            raise RegistrationError(msg)
        return name

    def _for(self, entry: Registration, task: TaskDefinition) -> Registration | None:
        """Returns what a plugin hears of a task; None if that is nothing."""
        try:
            wanted = entry.plugin.applies(task)
            return entry.only(wanted) if wanted else None
        except BaseException as error:
            if not is_failure(error):
                raise
            self.policy.note(entry.name, entry.plugin, "applies", error, {"task_name": task.name})
            if self.policy.raises(entry.name):
                raise
            return None

    def _fires_in(self, role: Role, entry: Registration) -> bool:
        return any(role in self.catalogue[name].roles for name in entry.triggers)

    def _compile(
        self, registrations: Iterable[Registration], catalogue: Mapping[str, TriggerSpec]
    ) -> TriggerTable:
        listening: dict[str, dict[str, Registration]] = {name: {} for name in catalogue}
        for entry in registrations:
            for trigger in entry.triggers:
                # Added more than once, a plugin listens once; to have asked by name counts.
                earlier = listening[trigger].get(entry.name)
                if earlier is None or (entry.named and not earlier.named):
                    listening[trigger][entry.name] = entry
        subscribers: dict[str, Subscribers] = {
            trigger: in_order([self._subscribe(e, catalogue[trigger]) for e in by_name.values()])
            for trigger, by_name in listening.items()
        }
        return make_table(subscribers)

    def _subscribe(self, entry: Registration, spec: TriggerSpec) -> Subscription:
        made = subscribe(entry, spec, self.policy)
        return made if self._watch is None else self._watch(made)


def _raises(name: str, plugin: BasePlugin, on_error: str | None) -> bool:
    wanted = on_error or plugin.on_error
    if wanted not in ("log", "raise"):
        msg = f"plugin {name!r}: on_error={wanted!r} is unknown: use 'log' or 'raise'"
        raise RegistrationError(msg)
    return wanted == "raise"


def _check_keywords(how: Mapping[str, Any]) -> None:
    known = AddOptions.__annotations__
    for word in how.keys() - known.keys():
        msg = (
            f"add_plugin() has no keyword {word!r}{near(word, known)}; beside the plugin it takes"
            f" trigger_names, component, {', '.join(known)}"
        )
        raise TypeError(msg)
