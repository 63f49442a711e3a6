"""What plugins want to add to the command line and cannot, because it is there already."""

from typing import Any

import typer

from qtasks._discovery.discovery import Discovery
from qtasks.cli.extensions import commands_of, declared_options
from qtasks.schemas import Finding

__all__ = ["clashes"]


def clashes(ctx: typer.Context, discovery: Discovery) -> list[Finding]:
    """Returns a warning for each command and option that is left out.

    Args:
        ctx: what typer keeps of the invocation.
        discovery: the plugins.
    """
    root: Any = ctx.find_root().command
    found: list[Finding] = []

    def refuse(plugin: str, name: str) -> None:
        found.append(_warning(plugin, f"It adds a command {name}, which is there already."))

    commands_of(discovery, root.commands, refuse)
    seen: set[tuple[str, str]] = set()
    for plugin, option in declared_options(discovery):
        for path in option.commands:
            flags = _flags(root, path)
            if flags is None:
                text = f"It adds {option.flag} to {path}, and there is no such command."
            elif option.flag in flags or (path, option.flag) in seen:
                text = f"It adds {option.flag} to {path}, which has it already."
            else:
                seen.add((path, option.flag))
                continue
            found.append(_warning(plugin, text))
    return found


def _flags(root: Any, path: str) -> set[str] | None:
    """Returns the flags that a command of QTasks has; None if there is no such command."""
    command = root
    for name in path.split():
        command = getattr(command, "commands", {}).get(name)
    if command is None:
        return None
    return {flag for param in command.params for flag in param.opts}


def _warning(plugin: str, message: str) -> Finding:
    fix = "It is left out: ask the author of the plugin for another name."
    return Finding("warning", f"plugin {plugin}", message, fix)
