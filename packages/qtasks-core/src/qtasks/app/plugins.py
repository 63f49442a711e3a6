"""What an app is told about plugins: its arguments, and instances that are added by hand."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtasks._config import read_plugin_settings
from qtasks._discovery.api import NEWER_FIX, api_mismatch, newer_api
from qtasks._discovery.options import OptionSources, options_class, read_options, retyped
from qtasks._discovery.requirements import parse_requirement
from qtasks._discovery.switches import current_switches
from qtasks._triggers.hooks import hook_mistakes
from qtasks._typed.builtin import builtin_converter
from qtasks.contracts.plugin import BasePlugin
from qtasks.exc import ConfigError, RegistrationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks._discovery.discovery import Discovery
    from qtasks.schemas import TaskDefinition

__all__ = [
    "find_converter",
    "max_attempts",
    "named_plugins",
    "prepare",
    "required_plugins",
    "task_options",
]

log = logging.getLogger("qtasks.plugins")


def named_plugins(given: Any) -> tuple[list[str] | None, list[BasePlugin]]:
    """Separates names and instances of ``plugins=``.

    Returns:
        The names of installed plugins, or None for all of them; and the instances.

    Raises:
        ConfigError: it is no list of such.
    """
    if given is None:
        return None, []
    if isinstance(given, str | BasePlugin) or not isinstance(given, Sequence):
        msg = f"plugins={given!r}: give a list of names and instances, such as ['sentry', Audit()]"
        raise ConfigError(msg)
    for plugin in given:
        if not isinstance(plugin, str | BasePlugin):
            call = f"; call the class: {plugin.__name__}()" if isinstance(plugin, type) else ""
            msg = f"plugins=: {plugin!r} is neither a name nor an instance of BasePlugin{call}"
            raise ConfigError(msg)
    names = [plugin for plugin in given if isinstance(plugin, str)]
    return names, [plugin for plugin in given if isinstance(plugin, BasePlugin)]


def required_plugins(given: Any) -> list[str]:
    """Checks ``required_plugins=``.

    Raises:
        ConfigError: it is no list of requirements.
    """
    if isinstance(given, str) or not isinstance(given, Sequence):
        msg = f"required_plugins={given!r}: give a list, such as ['sentry>=1.0']"
        raise ConfigError(msg)
    for text in given:
        if not isinstance(text, str) or parse_requirement(text) is None:
            msg = f"required_plugins=: {text!r} is no requirement; write for example 'sentry>=1.0'"
            raise ConfigError(msg)
    return list(given)


def prepare(plugin: Any, discovery: Discovery) -> bool:
    """Gets a plugin ready that was made in code: checks it, and gives it its options.

    Options that the code gave are kept whole; only the command line changes single ones.

    Args:
        plugin: the plugin.
        discovery: the app's.

    Returns:
        Whether it is wanted; the command line or the environment may switch it off.

    Raises:
        RegistrationError: it needs another version of the plugin API, or implements hooks that
            do not exist.
        ConfigError: an option cannot be used.
    """
    if not isinstance(plugin, BasePlugin):
        return True  # the registry says what is wrong with it
    name = plugin.name or type(plugin).__name__
    if not discovery.wants(plugin, name):
        return False
    declared = getattr(plugin, "plugin_api", None)
    if mismatch := api_mismatch(declared):
        msg = f"plugin {name!r}: {mismatch[0]}: {mismatch[1]}"
        raise RegistrationError(msg)
    if mistakes := hook_mistakes(plugin):
        msg = f"plugin {name!r}: {'; '.join(mistakes)}"
        raise RegistrationError(msg)
    if note := newer_api(declared):
        log.warning("Plugin %s: %s: %s", name, note, NEWER_FIX)
    _give_options(plugin, name)
    return True


def _give_options(plugin: Any, name: str) -> None:
    declared = options_class(plugin)
    if declared is None:
        return
    sources = OptionSources.of(name, read_plugin_settings(os.environ), current_switches())
    options = getattr(plugin, "options", None)
    if not isinstance(options, declared):
        plugin.options = read_options(name, declared, sources)
    # Also of options that were just read: a plugin may put those that code gave it over them.
    if sources.typed:
        plugin.options = retyped(name, plugin.options, sources.typed)


def task_options(discovery: Discovery) -> dict[str, Callable[[Any], object]]:
    """Asks the plugins which keywords of ``@app.task`` are theirs.

    Returns:
        The check of each keyword; the first plugin that declares one has it.
    """
    found: dict[str, Callable[[Any], object]] = {}
    for _, answer in reversed(discovery.ask("qtasks_task_options")):
        found |= answer
    return found


def find_converter(discovery: Discovery, annotation: Any) -> Callable[[Any], Any] | None:
    """Asks the plugins what makes values of an annotation, and then what comes with QTasks.

    Args:
        discovery: what finds the plugins.
        annotation: the annotation, resolved.

    Returns:
        The answer of the first that has one.
    """
    for _, convert in discovery.ask("qtasks_value_converter", annotation=annotation):
        found: Callable[[Any], Any] = convert
        return found
    return builtin_converter(annotation)


def max_attempts(discovery: Discovery, task: TaskDefinition) -> int | None:
    """Asks the plugins how many attempts a task has; the first answer counts.

    Args:
        discovery: the app's.
        task: the task, which has keywords of plugins.

    Returns:
        The number; None without a policy.

    Raises:
        RegistrationError: a plugin says that the task's options contradict each other.
    """
    hook = "qtasks_max_attempts"
    for plugin, ask in discovery.implementations(hook):
        try:
            answer = ask(task=task)
        except (TypeError, ValueError) as error:
            msg = f"task {task.name!r}: {error}"
            raise RegistrationError(msg) from None
        except Exception:
            log.exception("Plugin %s failed in hook %s; it is left out", plugin, hook)
            continue
        if answer is None:
            continue
        if isinstance(answer, int) and not isinstance(answer, bool) and answer >= 1:
            return answer
        said = "Plugin %s answered hook %s with %.100r, and not with a whole number from 1 up"
        log.error(said, plugin, hook, answer)
    return None
