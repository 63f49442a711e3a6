"""How the command line is read: what typer leaves unclear is said here."""

from __future__ import annotations

import shlex
from typing import Any, Final

from typer.core import TyperCommand, TyperGroup

from qtasks._core.errors import printable
from qtasks.exc import ConfigError

__all__ = ["Command", "Group"]

_APP: Final = ("-A", "--app")


class _Grammar:
    """What commands and groups of commands share."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns the parameters; flags are shown without a value."""
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]  # of typer's class
        for param in params:
            if getattr(param, "is_flag", False) or getattr(param, "is_bool_flag", False):
                param.metavar = ""
        return params

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Reads the arguments.

        Raises:
            ConfigError: the app stands behind the command.
        """
        given = [*args]
        try:
            return super().parse_args(ctx, args)  # type: ignore[misc]  # of typer's class
        except Exception as error:
            if ctx.parent is not None and getattr(error, "option_name", None) in _APP:
                raise ConfigError(_before(ctx.command_path, given)) from None
            raise


class Command(_Grammar, TyperCommand):
    """A command."""


class Group(_Grammar, TyperGroup):
    """A group of commands."""


def _before(command: str, args: list[str]) -> str:
    """Returns the message about an app that stands behind the command."""
    found = "MODULE:APP"
    for this, following in zip(args, [*args[1:], ""], strict=True):
        if this in _APP:
            found = following or found
        elif this.startswith("--app="):
            found = this.removeprefix("--app=")
        elif this.startswith("-A"):
            found = this.removeprefix("-A")
        else:
            continue
        break
    program, _, words = command.partition(" ")
    shown = printable(shlex.quote(found))
    return f"-A stands before the command: {program} -A {shown} {words}"
