"""What plugins add to the command line: commands, and options of the commands that are there."""

import inspect
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import typer
from typer.main import get_command, get_group

from qtasks._discovery.discovery import Discovery
from qtasks._discovery.switches import current_switches, switched
from qtasks._triggers.registry import TriggerRegistry
from qtasks.cli.invocation import Invocation
from qtasks.schemas import CommandOption

__all__ = [
    "commands_of",
    "declared_options",
    "installed_commands",
    "options_of_plugins",
    "plugin_command",
    "warn_of_unused",
]

log = logging.getLogger("qtasks.plugins")

#: The commands of installed plugins, in what typer keeps of an invocation.
_COMMANDS: Final = "qtasks.cli.commands"
_FLAG: Final = re.compile(r"--[a-z][a-z0-9]*(-[a-z0-9]+)*")


def commands_of(
    discovery: Discovery, taken: Iterable[str], refuse: Callable[[str, str], None] | None = None
) -> dict[str, Any]:
    """Returns the commands and groups that plugins add, by name; who comes first has a name.

    Args:
        discovery: the plugins.
        taken: names that are not theirs to take.
        refuse: is told the plugin and the command where a name is taken; None for the log.
    """
    names = set(taken)
    found: dict[str, Any] = {}
    for plugin, add in discovery.implementations("qtasks_commands"):
        for name, command in _commands(plugin, add).items():
            if name in names:
                (refuse or _log_taken)(plugin, name)
            else:
                names.add(name)
                found[name] = command
    return found


def _log_taken(plugin: str, name: str) -> None:
    log.warning("Plugin %s adds a command %r, which is there already", plugin, name)


def installed_commands(ctx: typer.Context, taken: Iterable[str]) -> dict[str, Any]:
    """Returns the commands that installed plugins add, by name.

    Args:
        ctx: what typer keeps of the invocation; it remembers them.
        taken: the names of the commands of QTasks.
    """
    if _COMMANDS not in ctx.meta:
        ctx.meta[_COMMANDS] = commands_of(Discovery(TriggerRegistry()), taken)
    found: dict[str, Any] = ctx.meta[_COMMANDS]
    return found


def plugin_command(ctx: typer.Context, name: str, taken: Iterable[str]) -> Any:
    """Returns a command that a plugin adds: one that is installed, or one of the app's own.

    Args:
        ctx: what typer keeps of the invocation.
        name: the command.
        taken: the names of the commands of QTasks.
    """
    found = installed_commands(ctx, taken).get(name)
    path = ctx.params.get("app")
    if found is None and path:
        app = Invocation(app_path=path, as_json=True).app  # what its module prints is no answer
        found = commands_of(app._discovery, taken).get(name)  # noqa: SLF001 - the app has no use for it
    return found


def options_of_plugins(command: str, taken: Iterable[str]) -> list[Any]:
    """Returns what installed plugins add to a command, as typer has it.

    Args:
        command: its name, as ``tasks list``.
        taken: the flags that it has.
    """
    flags = set(taken)
    params: list[Any] = []
    for plugin, option in declared_options(Discovery(TriggerRegistry())):
        if command not in option.commands:
            continue
        if option.flag in flags:
            log.warning("Plugin %s adds %s, which is there already", plugin, option.flag)
            continue
        flags.add(option.flag)
        params.append(_param(plugin, option))
    return params


def warn_of_unused() -> None:
    """Logs which installed plugins cannot be used, as they might have what nobody knows."""
    Discovery(TriggerRegistry()).warn_of_unused()


def declared_options(discovery: Discovery) -> list[tuple[str, CommandOption]]:
    """Returns the options of commands that plugins declare; what is none is logged.

    Args:
        discovery: the plugins.
    """
    found = []
    for plugin, answer in discovery.ask("qtasks_command_options"):
        for option in answer if isinstance(answer, Iterable) else [answer]:
            if isinstance(option, CommandOption) and _FLAG.fullmatch(option.flag):
                found.append((plugin, option))
            else:
                log.warning("Plugin %s adds %r, which is no option of a command", plugin, option)
    return found


def _commands(plugin: str, add: Callable[..., Any]) -> dict[str, Any]:
    group = typer.Typer(add_completion=False)
    try:
        add(group=group)
        made: dict[str, Any] = dict(get_group(group).commands)
    except Exception:
        log.exception("Plugin %s failed in hook qtasks_commands; it is left out", plugin)
        return {}
    return made


def _param(plugin: str, option: CommandOption) -> Any:
    """Makes an option of typer's whose value becomes one of the plugin's options."""

    def give(ctx: typer.Context, value: str | None) -> None:
        if value is not None:
            switches = current_switches().with_options({plugin: {option.option: value}})
            ctx.find_root().with_resource(switched(switches))

    def nothing(**_: Any) -> None:
        """Is never run."""

    value = typer.Option(
        None,
        option.flag,
        metavar=option.metavar,
        help=f"{option.help} (of the plugin {plugin})".strip(),
        expose_value=False,
        callback=give,
    )
    name = option.flag.lstrip("-").replace("-", "_")
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameter = inspect.Parameter(name, keyword, default=value, annotation=str | None)
    nothing.__signature__ = inspect.Signature([parameter])  # type: ignore[attr-defined]  # typer reads it
    nothing.__annotations__ = {name: str | None}
    made = typer.Typer(add_completion=False)
    made.command()(nothing)
    return get_command(made).params[0]
