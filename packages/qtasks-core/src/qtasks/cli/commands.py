"""The commands and the options that stand before them."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from qtasks._runtime.errors import printable
from qtasks._version import __version__
from qtasks.cli.bench import bench
from qtasks.cli.call import call
from qtasks.cli.cancel import cancel
from qtasks.cli.config import config
from qtasks.cli.dead import dead
from qtasks.cli.doctor import doctor
from qtasks.cli.extensions import installed_commands, plugin_command, warn_of_unused
from qtasks.cli.grammar import SWITCH_HELP, Command, Group, switch_plugins
from qtasks.cli.inspect import inspect
from qtasks.cli.invocation import Invocation
from qtasks.cli.output import Output
from qtasks.cli.plugins import plugins as plugin_commands
from qtasks.cli.plugins_doctor import plugins_doctor
from qtasks.cli.plugins_new import new
from qtasks.cli.plugins_trace import plugins_trace
from qtasks.cli.queues import queues
from qtasks.cli.run import run
from qtasks.cli.stats import stats
from qtasks.cli.stream import stream
from qtasks.cli.tasks import tasks
from qtasks.cli.triggers import triggers
from qtasks.exc import ConfigError, QTasksError

__all__ = ["cli"]


#: Whether a command was named, in what typer keeps of an invocation.
_NAMED: Final = "qtasks.cli.named"


class Commands(Group):
    """The commands, with one way to report what QTasks refuses."""

    def invoke(self, ctx: Any) -> Any:
        """Runs a command; an error of QTasks or of the system becomes one line, exit code 2."""
        try:
            return self._invoke(ctx)
        except BrokenPipeError:
            raise  # who reads the output has gone, which typer handles
        except (QTasksError, OSError) as error:
            text = str(error) if isinstance(error, QTasksError) else _named(error)
            asked = ctx.obj or Invocation()  # without one the options before the command failed
            Output().note(f"error: {printable(asked.clean(text))}", style="red")
            raise typer.Exit(2) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Finds the command; is asked only if something stands in its place."""
        ctx.meta[_NAMED] = True
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Returns a command; plugins are asked for those that are not known."""
        found = super().get_command(ctx, cmd_name)
        if found is None and not cmd_name.startswith("-"):
            found = plugin_command(ctx, cmd_name, self.commands)
            if found is None:
                warn_of_unused()
        return found

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names of all commands, for help; those of installed plugins come last."""
        return [*super().list_commands(ctx), *installed_commands(ctx, self.commands)]

    def _invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception:  # a usage error of typer's, or what a command raised
            app = ctx.params.get("app")
            if app in self.commands and not ctx.meta.get(_NAMED):
                msg = (
                    f"-A took {app!r} as the app, and no command follows: write"
                    f" {ctx.command_path} -A MODULE:APP {app}"
                )
                raise ConfigError(msg) from None
            raise


def _named(error: OSError) -> str:
    return f"{type(error).__name__}: {error}"


cli = typer.Typer(
    cls=Commands,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
cli.command(cls=Command)(run)
cli.command(cls=Command)(config)
cli.command(cls=Command)(call)
cli.command(cls=Command)(stats)
cli.command(cls=Command)(inspect)
cli.add_typer(tasks, name="tasks")
tasks.command(cls=Command)(cancel)
tasks.command(cls=Command)(stream)
cli.add_typer(dead, name="dead")
cli.add_typer(queues, name="queues")
cli.add_typer(plugin_commands, name="plugins")
plugin_commands.command("trace", cls=Command)(plugins_trace)
plugin_commands.command("doctor", cls=Command)(plugins_doctor)
plugin_commands.command("new", cls=Command)(new)
cli.command(cls=Command)(triggers)
cli.command(cls=Command)(doctor)
cli.command(cls=Command)(bench)


def show_version(wanted: bool) -> None:  # noqa: FBT001 - typer passes the option's value by position
    """Prints versions and ends the command."""
    if wanted:
        typer.echo(f"qtasks {__version__} from {Path(__file__).resolve().parent.parent}")
        raise typer.Exit


@cli.callback()
def options(
    ctx: typer.Context,
    *,
    app: Annotated[
        str | None,
        typer.Option(
            "-A",
            "--app",
            metavar="MODULE:APP",
            envvar="QTASKS_APP",
            help="Where the app is; APP is 'app' unless given, and may be a function that makes it."
            " Modules are looked for in the working directory first.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of text.")
    ] = False,
    plugins: Annotated[  # noqa: ARG001 - its callback takes it
        list[str] | None,
        typer.Option("-p", metavar="NAME", help=SWITCH_HELP, callback=switch_plugins),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Run workers of a QTasks app, add tasks, and look into its queues.

    Examples:
    qtasks -A shop:app run
    qtasks -A shop:app call resize --args '["cat.jpg"]' --wait 10
    qtasks -A shop:app dead list --since 1d
    """
    ctx.obj = Invocation(app_path=app, as_json=as_json)
