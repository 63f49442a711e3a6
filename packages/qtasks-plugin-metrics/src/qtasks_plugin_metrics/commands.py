"""``qtasks metrics-exporter``: how the queues stand, for Prometheus."""

import asyncio
from typing import Annotated, Any

import msgspec
import typer

from qtasks.exc import ConfigError
from qtasks_plugin_metrics.exporter import Exporter
from qtasks_plugin_metrics.options import Options
from qtasks_plugin_metrics.plugin import MetricsPlugin
from qtasks_plugin_metrics.serving import ServingError

__all__ = ["add_commands"]


def add_commands(group: Any, plugin: MetricsPlugin) -> None:
    """Adds the command.

    Args:
        group: what it is added to.
        plugin: whose options hold for an app that does without the plugin.
    """

    def export(
        ctx: typer.Context,
        *,
        port: Annotated[
            int, typer.Option(metavar="PORT", help="Where to serve; 0 takes a free port.")
        ] = 9401,
        host: Annotated[
            str | None,
            typer.Option(metavar="ADDRESS", help="The address to listen on; default 127.0.0.1."),
        ] = None,
    ) -> None:
        """Serve how the queues of an app stand: depth, ages, pauses, and living workers.

        Run it once for each broker, beside any number of workers. It asks the broker
        when it is scraped, at most every 5 s. Token and certificate are those of the
        plugin's options. It ends on Ctrl-C or SIGTERM.

        Examples:
        qtasks -A shop:app metrics-exporter
        qtasks -A shop:app metrics-exporter --port 9500 --host 0.0.0.0
        """
        _export(ctx.obj.app, plugin, port, host)

    group.command("metrics-exporter")(export)


def _export(app: Any, plugin: MetricsPlugin, port: int, host: str | None) -> None:
    """Serves until a signal comes."""
    options = _options(app, plugin, port, host)
    if not app.broker.capabilities.processes:
        msg = (
            "the broker of this app is one process's own, so an exporter would see none of its"
            " queues: use sqlite://, redis:// or another one that processes share"
        )
        raise ConfigError(msg)

    async def serve() -> None:
        exporter = Exporter(app, options)
        await exporter.run(lambda url: typer.echo(f"metrics are at {url}", err=True))

    try:
        asyncio.run(serve())
    except ServingError as error:
        raise ConfigError(str(error)) from None


def _options(app: Any, plugin: MetricsPlugin, port: int, host: str | None) -> Options:
    """Returns the options of the app's plugin, or else of the command's, with what was typed."""
    plugins = [one for one in app.plugins.values() if isinstance(one, MetricsPlugin)]
    options = (plugins or [plugin])[0].settings
    typed = {"port": port} if host is None else {"port": port, "host": host}
    try:
        return msgspec.structs.replace(options, **typed)
    except ValueError as error:
        raise ConfigError(str(error)) from None
