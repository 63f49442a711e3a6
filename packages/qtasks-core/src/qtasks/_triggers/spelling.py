"""What a plugin answers: methods marked for triggers, or ``trigger()`` for all of them.

Both come out as subscriptions, and nothing after this module knows the difference.
"""

from __future__ import annotations

import inspect
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from qtasks._runtime.bridge import is_async_callable
from qtasks._triggers.limits import in_thread
from qtasks._triggers.near import near
from qtasks._triggers.subscription import Subscription
from qtasks.contracts.on import Mark, find_marks
from qtasks.contracts.plugin import Plugin
from qtasks.contracts.triggers import Kind
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtasks._triggers.policy import Policy
    from qtasks._triggers.registration import Registration
    from qtasks.contracts.plugin import BasePlugin
    from qtasks.contracts.triggers import TriggerSpec

__all__ = ["answered", "is_async", "subscribe"]


def answered(
    plugin: BasePlugin, name: str, catalogue: Mapping[str, TriggerSpec]
) -> Mapping[str, tuple[str, Mark]] | None:
    """Returns the marked methods by trigger; None for a plugin that answers by ``trigger()``.

    Raises:
        RegistrationError: a mark names an unknown trigger, two the same one, a method's
            signature does not fit, or the class is spelled both ways.
    """
    marks = find_marks(type(plugin))
    own = type(plugin).trigger is not Plugin.trigger
    if own and marks:
        first = next(iter(marks))
        msg = (
            f"plugin {name!r} has a trigger() of its own, so the mark on {first}() would be"
            " overlooked: derive from qtasks.plugins.Plugin and drop trigger(), or drop the marks"
        )
        raise RegistrationError(msg)
    if own:
        return None
    found: dict[str, tuple[str, Mark]] = {}
    for method, several in marks.items():
        for mark in several:
            if mark.trigger in found:
                msg = (
                    f"plugin {name!r} answers {mark.trigger} with {found[mark.trigger][0]}() and"
                    f" with {method}(): mark one of them, or make two plugins"
                )
                raise RegistrationError(msg)
            if mark.trigger in catalogue:
                _check(f"{name}.{method}", getattr(plugin, method), mark, catalogue[mark.trigger])
                found[mark.trigger] = (method, mark)
            elif not mark.optional:
                msg = (
                    f"plugin {name!r}: {method}() is marked for an unknown trigger"
                    f" {mark.trigger!r}{near(mark.trigger, catalogue)}; if a plugin that may be"
                    " absent brings it, write optional=True"
                )
                raise RegistrationError(msg)
    return found


def subscribe(entry: Registration, spec: TriggerSpec, policy: Policy) -> Subscription:
    """Makes the subscription of a plugin to one of its triggers."""
    plugin = entry.plugin
    method, mark = "trigger", Mark(spec.name)
    if entry.methods is not None:
        method, mark = entry.methods[spec.name]
    function = getattr(plugin, method)
    if entry.methods is None:
        call = entry.caches.calling(plugin, spec.name)
    else:
        call = _calling(function, spec)
        if mark.blocking:
            call = partial(in_thread, policy, call)
    waits = mark.blocking or is_async_callable(function)
    if waits:
        call = _unless_resting(call, entry.name, spec.name, policy)
    return Subscription(
        plugin=entry.name,
        owner=plugin,
        spec=spec,
        call=call,
        policy=policy,
        is_async=waits,
        caches=entry.caches if entry.methods is None else None,
        method=method,
        named=entry.named,
        order=entry.order or mark.order,
        before=entry.before + mark.before,
        after=entry.after + mark.after,
    )


def _unless_resting(
    call: Callable[[Mapping[str, Any]], Any], name: str, trigger: str, policy: Policy
) -> Callable[[Mapping[str, Any]], Any]:
    """Leaves out a plugin for a while that took too long."""
    resting = policy.resting

    def ask(arguments: Mapping[str, Any]) -> Any:
        if resting and policy.rests(name, trigger):
            return None
        return call(arguments)

    return ask


def is_async(plugin: BasePlugin) -> bool:
    """Whether any of a plugin's methods that the engine calls needs a running loop."""
    marks = find_marks(type(plugin))
    names = {"trigger", "start", "stop", *marks}
    blocking = any(mark.blocking for several in marks.values() for mark in several)
    return blocking or any(is_async_callable(getattr(plugin, name)) for name in names)


def _check(where: str, method: Any, mark: Mark, spec: TriggerSpec) -> None:
    """Checks that a method can be called with the arguments of its trigger, and will answer."""
    plain = method
    while isinstance(plain, partial):
        plain = plain.func
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        colour = "async" if inspect.isasyncgenfunction(plain) else ""
        wants = (
            f"decorate it with contextlib.{colour}contextmanager"
            if spec.kind is Kind.AROUND
            else "return the answer instead of yielding it"
        )
        msg = f"{where}() is a generator, so calling it runs nothing: {wants}"
        raise RegistrationError(msg)
    if mark.blocking and (is_async_callable(method) or spec.kind is Kind.AROUND):
        why = "it returns a context manager" if spec.kind is Kind.AROUND else "it is async"
        msg = f"{where}(): blocking=True is for plain functions that wait, but {why}"
        raise RegistrationError(msg)
    for parameter in inspect.signature(method).parameters.values():
        _check_parameter(where, parameter, spec)


def _check_parameter(where: str, parameter: inspect.Parameter, spec: TriggerSpec) -> None:
    name, known = parameter.name, ", ".join(spec.arguments)
    if parameter.kind is parameter.VAR_KEYWORD:
        return
    if parameter.kind is parameter.VAR_POSITIONAL:
        if name == "args":
            return  # the usual *args, **kwargs
        msg = f"{where}(*{name}): arguments come by name, so *{name} stays empty: drop the star"
    elif parameter.kind is parameter.POSITIONAL_ONLY:
        msg = f"{where}({name}, /): arguments come by name: drop the /"
    elif name in spec.arguments:
        return
    elif parameter.default is not parameter.empty and not near(name, spec.arguments):
        return  # of a later version, or its own affair
    else:
        msg = (
            f"{where}({name}): {spec.name} has no argument {name!r}{near(name, spec.arguments)};"
            f" it has {known}"
        )
    raise RegistrationError(msg)


def _calling(method: Callable[..., Any], spec: TriggerSpec) -> Callable[[Mapping[str, Any]], Any]:
    """Returns what calls a method with those arguments that it takes, as quickly as can be."""
    every = inspect.signature(method).parameters.values()
    parameters = [p for p in every if p.kind is not p.VAR_POSITIONAL]  # of *args, **kwargs
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return lambda arguments: method(**arguments)
    names = [p.name for p in parameters if p.name in spec.arguments]
    leading = [p.name for p in parameters[: len(names)]]
    if leading != names or any(p.kind is p.KEYWORD_ONLY for p in parameters):
        return lambda arguments: method(**{name: arguments[name] for name in names})
    if not names:
        return lambda _: method()
    if len(names) == 1:
        [only] = names
        return lambda arguments: method(arguments[only])
    pick = itemgetter(*names)
    return lambda arguments: method(*pick(arguments))
