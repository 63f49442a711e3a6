"""Which parameters of tasks are filled in by plugins: asked when a task is registered."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Final

from qtasks._builtin import builtin_plugins
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.contracts.plugin import BasePlugin
    from qtasks.schemas import TaskDefinition

__all__ = ["fills_of", "fills_without_app"]

_MANY: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def fills_of(task: TaskDefinition, plugins: Mapping[str, BasePlugin]) -> dict[str, str]:
    """Asks plugins which parameters of a task they fill in.

    Args:
        task: the task, all of whose parameters are in its signature.
        plugins: by name.

    Returns:
        The parameters, and which plugin fills in each.

    Raises:
        RegistrationError: what a plugin wants to fill in cannot be, or two want the same.
    """
    found: dict[str, str] = {}
    for name, plugin in plugins.items():
        for word in plugin.fills(task):
            _check(task, word, name, found)
            found[word] = name
    return found


def fills_without_app(task: TaskDefinition) -> dict[str, str]:
    """Asks the plugins that every app has, for a task that belongs to none yet."""
    return fills_of(task, builtin_plugins())


def _check(task: TaskDefinition, word: str, plugin: str, found: Mapping[str, str]) -> None:
    parameter = task.signature.parameters.get(word)
    what = f"task {task.name!r}: the plugin {plugin!r} cannot fill in {word!r}"
    if parameter is None:
        names = ", ".join(task.signature.parameters) or "none"
        msg = f"{what}: the task has no such parameter; it has {names}"
        raise RegistrationError(msg)
    if parameter.kind in _MANY:
        msg = f"{what}: {parameter} takes many values; use a parameter of its own"
        raise RegistrationError(msg)
    if word in found:
        msg = f"{what}: {found[word]!r} fills it in already; one parameter, one plugin"
        raise RegistrationError(msg)
