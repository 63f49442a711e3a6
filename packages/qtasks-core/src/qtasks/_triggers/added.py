"""Triggers of others: what they may be, where their listeners are, and how they are fired."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from qtasks._triggers import emit
from qtasks._triggers.near import near
from qtasks._triggers.table import TriggerTable
from qtasks.contracts.triggers import CATALOGUE, COMPONENTS, Kind
from qtasks.contracts.triggers.spec import collect
from qtasks.exc import RegistrationError
from qtasks.schemas import TaskDefinition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks._triggers.registry import TriggerRegistry
    from qtasks._triggers.subscription import Subscribers
    from qtasks.contracts.triggers import TriggerSpec

__all__ = ["collect_added", "fire", "make_table"]

#: The first words that names of other people's triggers must not have.
_OURS = {name.partition("_")[0] for parts in COMPONENTS.values() for name in parts}


def collect_added(module: Any, known: Mapping[str, TriggerSpec]) -> dict[str, TriggerSpec]:
    """Returns the triggers that a module declares, checked, by name.

    Args:
        module: the module.
        known: the triggers that there are.

    Raises:
        RegistrationError: it is no module or declares none, a name has no prefix, one of QTasks
            or is taken, or a kind is not for others.
    """
    if not isinstance(module, ModuleType):
        msg = f"triggers are declared in a module, not in {module!r:.200}"
        raise RegistrationError(msg)
    specs = collect(module)
    if not specs:
        msg = f"{module.__name__} declares no triggers: mark functions with @trigger_spec"
        raise RegistrationError(msg)
    for spec in specs.values():
        if why := _why_not(spec, known):
            msg = f"trigger {spec.name!r} of {module.__name__} {why}"
            raise RegistrationError(msg)
    return specs


def _why_not(spec: TriggerSpec, known: Mapping[str, TriggerSpec]) -> str:
    """Returns why a trigger cannot be added; "" if it can."""
    prefix, _, rest = spec.name.partition("_")
    if not (prefix and rest):
        return f"has no prefix: call it after your package, such as acme_{spec.name}"
    if prefix in _OURS:
        return f"begins with {prefix}_, as those of QTasks: use the name of your package instead"
    if spec.name in known:
        return "is declared already, by another module"
    return _why_not_kind(spec)


def _why_not_kind(spec: TriggerSpec) -> str:
    count = len(spec.returns)
    if spec.kind is Kind.AROUND:
        return "is of the kind around, which is for the engine alone: fire one before and after"
    if spec.kind in (Kind.FIRST, Kind.LAST) and count != 1:
        return f"is of the kind {spec.kind}, so returns= names exactly one value"
    if spec.kind is Kind.FILTER and not (count and set(spec.returns) <= set(spec.arguments)):
        return "is of the kind filter, so returns= names some of its arguments"
    return ""


def make_table(subscribers: dict[str, Subscribers]) -> TriggerTable:
    """Makes a table; triggers of others become attributes as those of QTasks are."""
    others = {name: heard for name, heard in subscribers.items() if name not in CATALOGUE}
    if not others:
        return TriggerTable(**subscribers)
    kind = type("ExtendedTable", (TriggerTable,), {"__slots__": tuple(others)})
    table: TriggerTable = kind(**{n: s for n, s in subscribers.items() if n not in others})
    for name, heard in others.items():
        object.__setattr__(table, name, heard)
    return table


async def fire(registry: TriggerRegistry, name: str, arguments: dict[str, Any]) -> Any:
    """Fires a trigger of others.

    Returns:
        None for a notify; the values of a filter, by key; the answer of a first or last.

    Raises:
        RegistrationError: there is no such trigger, or it is fired by QTasks alone.
        TypeError: the arguments are not those that were declared.
    """
    spec = registry.catalogue.get(name)
    if spec is None or name in CATALOGUE:
        others = registry.catalogue.keys() - CATALOGUE.keys()
        why = "is fired by QTasks alone" if spec else f"is not declared{near(name, others)}"
        msg = f"trigger {name!r} {why}; app.add_triggers(module) declares triggers of your own"
        raise RegistrationError(msg)
    if arguments.keys() != set(spec.arguments):
        takes, given = ", ".join(spec.arguments), ", ".join(arguments)
        msg = f"trigger {name!r} takes {takes or 'no arguments'}; it was given {given or 'none'}"
        raise TypeError(msg)
    task = arguments.get("task_func")
    table = registry.table_for(task) if isinstance(task, TaskDefinition) else registry.table
    heard: Subscribers = getattr(table, name)
    if spec.kind is Kind.NOTIFY:
        return await emit.notify(name, heard, arguments)
    if spec.kind is Kind.FILTER:
        values = await emit.replace(name, heard, arguments)
        return {key: values[key] for key in spec.returns}
    return await (emit.first if spec.kind is Kind.FIRST else emit.last)(name, heard, arguments)
