"""How the command line is read: what typer leaves unclear is said here."""

import shlex
from functools import cache
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from qtasks._discovery.switches import Switches, current_switches, switched
from qtasks._runtime.errors import printable
from qtasks.exc import ConfigError

__all__ = ["SWITCH_HELP", "Command", "Group", "switch_plugins"]

_APP: Final = ("-A", "--app")


def switch_plugins(ctx: typer.Context, texts: list[str] | None) -> None:
    """Has the switches of this command hold until it ends.

    Args:
        ctx: what typer keeps of the command.
        texts: the values of ``-p``.

    Raises:
        ConfigError: one names no plugin.
    """
    if texts:
        asked: list[str] = ctx.find_root().meta.setdefault(_SWITCHES, [])
        asked += texts
        switches = Switches.parse(asked).with_options(current_switches().options)
        ctx.find_root().with_resource(switched(switches))


#: The values of ``-p`` so far, in what typer keeps of an invocation.
_SWITCHES: Final = "qtasks.cli.switches"
#: The options that plugins add to the command, likewise.
_OPTIONS: Final = "qtasks.cli.options"
SWITCH_HELP: Final = "Use a plugin, or with no:NAME do not."


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
    """A command; it takes ``-p``, and the options that plugins add to it.

    Plugins are looked for only if there is an option that nobody else knows, or help is wanted.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """Returns the parameters, with those that every command has."""
        params: list[Any] = super().get_params(ctx)
        params[-1:-1] = [*ctx.meta.get(_OPTIONS, ()), *switch_params()]  # the last one is --help
        return params

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Reads the arguments."""
        from qtasks.cli.extensions import warn_of_unused

        try:
            return super().parse_args(ctx, [*args])
        except Exception as error:
            if not getattr(error, "option_name", "").startswith("--"):
                raise
            if not self._extend(ctx):
                warn_of_unused()
                raise
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if getattr(error, "option_name", "").startswith("--"):
                warn_of_unused()
            raise

    def format_help(self, ctx: Any, formatter: Any) -> Any:
        """Writes the help."""
        self._extend(ctx)
        return super().format_help(ctx, formatter)

    def _extend(self, ctx: Any) -> bool:
        """Adds the options of plugins, once; tells whether there are new ones."""
        from qtasks.cli.extensions import options_of_plugins

        if _OPTIONS in ctx.meta:
            return False
        taken = [flag for param in self.get_params(ctx) for flag in param.opts]
        name = ctx.command_path.partition(" ")[2]
        ctx.meta[_OPTIONS] = options_of_plugins(name, taken)
        return bool(ctx.meta[_OPTIONS])


class Group(_Grammar, TyperGroup):
    """A group of commands."""


@cache
def switch_params() -> list[Any]:
    """Makes the option ``-p`` of commands.

    It is taken from a command that typer makes, as how options are made is its own affair.
    """

    def switches(
        ctx: typer.Context,
        plugin: Annotated[
            list[str] | None,
            typer.Option(
                "-p", metavar="NAME", help=SWITCH_HELP, expose_value=False, callback=switch_plugins
            ),
        ] = None,
    ) -> None:
        """Is never run."""

    made = typer.Typer(add_completion=False)
    made.command()(switches)
    return list(get_command(made).params)


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
