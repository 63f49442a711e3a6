"""Which triggers a plugin gets: what it was added with, applied to the triggers that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks._triggers.near import near
from qtasks._triggers.spelling import answered
from qtasks.contracts.triggers import COMPONENTS
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.contracts.on import Mark
    from qtasks.contracts.plugin import BasePlugin
    from qtasks.contracts.triggers import TriggerSpec

__all__ = ["find_wanted"]


def find_wanted(
    plugin: BasePlugin,
    name: str,
    catalogue: Mapping[str, TriggerSpec],
    trigger_names: frozenset[str] | None,
    component: str | None,
) -> tuple[Mapping[str, tuple[str, Mark]] | None, frozenset[str]]:
    """Returns the marked methods of a plugin, None if it has none, and the triggers it gets.

    Args:
        plugin: the plugin.
        name: its name.
        catalogue: the triggers that there are.
        trigger_names: what it was added with.
        component: likewise.

    Raises:
        RegistrationError: a trigger or component does not exist, or a method does not fit.
    """
    methods = answered(plugin, name, catalogue)
    triggers = _triggers(name, catalogue, trigger_names, component)
    if methods is None:
        return None, triggers
    missing = sorted(triggers - methods.keys())
    if trigger_names is not None and missing:
        msg = f"plugin {name!r} has no method marked for {', '.join(missing)}"
        raise RegistrationError(msg)
    return methods, triggers & methods.keys()


def _triggers(
    plugin: str,
    catalogue: Mapping[str, TriggerSpec],
    trigger_names: frozenset[str] | None,
    component: str | None,
) -> frozenset[str]:
    components = _components(catalogue)
    if component is not None and component not in components:
        msg = (
            f"plugin {plugin!r}: unknown component {component!r}{near(component, components)};"
            f" known are {', '.join(components)}"
        )
        raise RegistrationError(msg)
    if trigger_names is not None:
        for name in sorted(trigger_names - catalogue.keys()):
            msg = f"plugin {plugin!r}: unknown trigger {name!r}{near(name, catalogue)}"
            raise RegistrationError(msg)
        return trigger_names
    if component is None:
        return frozenset(catalogue)
    wanted = components[component]
    return frozenset(name for name, spec in catalogue.items() if spec.component in wanted)


def _components(catalogue: Mapping[str, TriggerSpec]) -> Mapping[str, tuple[str, ...]]:
    """Returns what ``component=`` may be: those of QTasks, and the prefixes of others."""
    others = {spec.component: (spec.component,) for spec in catalogue.values()}
    return {**COMPONENTS, **{name: own for name, own in others.items() if name not in COMPONENTS}}
