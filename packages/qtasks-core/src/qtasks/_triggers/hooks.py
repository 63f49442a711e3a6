"""Start-up hooks: found without touching a plugin's properties, and asked one plugin at a time.

pluggy looks at every attribute of what is registered, which runs properties, and ends a call with
the first exception. So it gets an object that holds the hooks alone, and they are called here.
"""

from __future__ import annotations

import difflib
import inspect
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtasks._triggers.steering import is_failure
from qtasks.contracts import hookspecs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pluggy

__all__ = ["answers", "holder_of", "hook_mistakes", "hooks_of", "implementations", "known_hooks"]

log = logging.getLogger("qtasks.plugins")

#: Where pluggy's marker leaves its mark.
_MARK: Final = "qtasks_impl"


def hooks_of(plugin: Any) -> dict[str, Any]:
    """Returns the functions of a plugin that are marked as hooks, by the name of the hook."""
    found = {}
    for name in dir(plugin):
        try:
            function = inspect.getattr_static(plugin, name)
        except AttributeError:
            continue
        function = getattr(function, "__func__", function)
        mark = getattr(function, _MARK, None)
        if isinstance(mark, dict):
            found[mark.get("specname") or name] = getattr(plugin, name)
    return found


class HookHolder:
    """What pluggy gets: the hooks of a plugin and nothing else.

    Args:
        hooks: the functions by the names of their hooks.
    """

    def __init__(self, hooks: dict[str, Any]) -> None:
        self.__dict__.update(hooks)


def holder_of(plugin: Any) -> HookHolder:
    """Returns an object with the hooks of a plugin, to be registered."""
    return HookHolder(hooks_of(plugin))


def known_hooks() -> list[str]:
    """Returns the names of all hooks."""
    return [name for name in hookspecs.__all__ if name.startswith("qtasks_")]


def hook_mistakes(plugin: Any) -> list[str]:
    """Returns what is wrong with the hooks of a plugin: unknown names and arguments.

    Args:
        plugin: the plugin.
    """
    mistakes = []
    known = known_hooks()
    for name, function in hooks_of(plugin).items():
        if name in known:
            mistakes += _argument_mistakes(name, function)
        elif not getattr(function, _MARK).get("optionalhook"):
            close = difflib.get_close_matches(name, known, n=1)
            guess = f", did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"
            mistakes.append(f"there is no hook {name}{guess}")
    return mistakes


def _argument_mistakes(name: str, function: Any) -> list[str]:
    takes = list(inspect.signature(getattr(hookspecs, name)).parameters)
    allowed = f"it takes {', '.join(takes)}" if takes else "it takes no arguments"
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD):
            found.append(
                f"hook {name} never gets {parameter}: arguments of hooks are plain parameters;"
                f" {allowed}"
            )
        elif parameter.name not in takes and parameter.default is parameter.empty:
            found.append(f"hook {name} has no argument {parameter.name!r}; {allowed}")
    return found


def implementations(
    manager: pluggy.PluginManager, hook: str
) -> list[tuple[str, Callable[..., Any]]]:
    """Returns who implements a hook, in the order of registration, and what asks each of them.

    Args:
        manager: who is registered.
        hook: the name of the hook; its arguments are given by keyword.
    """
    # pluggy asks the last one first; of those that nobody moves, the first is first here.
    found = sorted(getattr(manager.hook, hook).get_hookimpls(), key=_place)
    return [(each.plugin_name, partial(_call, each.function, each.argnames)) for each in found]


def _place(implementation: pluggy.HookImpl) -> int:
    return implementation.trylast - implementation.tryfirst


def _call(function: Callable[..., Any], takes: Iterable[str], **arguments: Any) -> Any:
    """Calls an implementation with those arguments that it takes."""
    return function(**{name: arguments[name] for name in takes})


def answers(
    found: Iterable[tuple[str, Callable[..., Any]]], hook: str, **arguments: Any
) -> list[tuple[str, Any]]:
    """Asks those who implement a hook; one that raises is logged and left out.

    Args:
        found: who they are.
        hook: the name of the hook.
        **arguments: its arguments.

    Returns:
        The names of the plugins, and their answers other than None.
    """
    told = []
    for name, call in found:
        try:
            answer = call(**arguments)
        except BaseException as error:
            if not is_failure(error):
                raise
            log.exception("Plugin %s failed in hook %s; it is left out", name, hook)
            continue
        if answer is not None:
            told.append((name, answer))
    return told
