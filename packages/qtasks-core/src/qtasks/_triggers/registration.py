"""One ``add_plugin``, checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import msgspec

from qtasks._triggers.caches import Caches
from qtasks._triggers.wanted import find_wanted
from qtasks.contracts.on import Mark, Order
from qtasks.contracts.plugin import BasePlugin
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from qtasks.contracts.triggers import TriggerSpec

__all__ = ["Registration"]


class Registration(msgspec.Struct, frozen=True):
    """A plugin and what it was added with.

    Attributes:
        plugin: the plugin.
        name: its name.
        methods: for a plugin with marked methods: their names and marks by trigger.
        triggers: the triggers it gets.
        trigger_names: the triggers it was added for; None for all.
        component: the component it was added for; None for all.
        order: overrides what the marks say; None for what they say.
        before: adds to what the marks say.
        after: adds to what the marks say.
        caches: what it keeps from call to call, if it answers by ``trigger()``.
    """

    plugin: BasePlugin
    name: str
    methods: Mapping[str, tuple[str, Mark]] | None
    triggers: frozenset[str]
    trigger_names: frozenset[str] | None
    component: str | None
    order: Order | None
    before: tuple[str, ...]
    after: tuple[str, ...]
    caches: Caches

    @property
    def named(self) -> bool:
        """Whether its triggers were asked for one by one."""
        return self.methods is not None or self.trigger_names is not None

    def only(self, wanted: bool | Collection[str]) -> Registration:  # noqa: FBT001 - what applies() says
        """Returns the same with the triggers that the plugin wants of a task.

        Args:
            wanted: what ``applies`` said: not False.

        Raises:
            RegistrationError: it named a trigger that the plugin has no answer to.
        """
        if isinstance(wanted, str) or not isinstance(wanted, Collection):
            return self
        unknown = sorted(set(wanted) - self.triggers)
        if unknown:
            msg = f"applies() names {', '.join(unknown)}, which the plugin does not listen to"
            raise RegistrationError(msg)
        return msgspec.structs.replace(self, triggers=self.triggers & frozenset(wanted))

    def anew(self, catalogue: Mapping[str, TriggerSpec]) -> Registration:
        """Returns the same with the triggers that there are by now.

        Raises:
            RegistrationError: a marked method does not fit one of them.
        """
        asked = self.trigger_names, self.component
        methods, triggers = find_wanted(self.plugin, self.name, catalogue, *asked)
        return msgspec.structs.replace(self, methods=methods, triggers=triggers)
