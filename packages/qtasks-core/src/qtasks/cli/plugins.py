"""``qtasks plugins``: which plugins there are, and what became of each."""

import difflib
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer

from qtasks._config import QueueConfig
from qtasks._runtime.errors import printable
from qtasks.app.base import BaseQueueTasks
from qtasks.app.blocking import QueueTasks
from qtasks.cli.grammar import Command, Group
from qtasks.cli.health import quiet
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.plugin_options import options_of
from qtasks.cli.tables import Column
from qtasks.exc import ConfigError
from qtasks.schemas import PluginReport

__all__ = ["app_or_plain", "find_plugin", "plugins"]

plugins = typer.Typer(
    cls=Group, no_args_is_help=True, help="See which plugins are used, and what is wrong with them."
)


@plugins.command("list", cls=Command)
def list_plugins(
    ctx: typer.Context,
    *,
    trigger: Annotated[
        str | None,
        typer.Option("--trigger", metavar="NAME", help="Only those that listen to this trigger."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the plugins, in the order in which they are asked; then those that are not used.

    With -A these are the plugins of the app, those added in its code among
    them; without it those that are installed. "Why" says what is wrong with one
    that is not used, and what to type.

    Examples:
    qtasks plugins list
    qtasks -A shop:app plugins list
    qtasks -A shop:app plugins list --trigger worker_start --json
    """
    asked = invocation(ctx, as_json=as_json)
    app = app_or_plain(asked)
    if trigger is not None:
        _check_trigger(app, trigger)
    with quiet():
        found = [r for r in app.plugin_reports() if trigger is None or trigger in r.triggers]
    if asked.as_json:
        asked.output.document([_document(report) for report in found])
        return
    out = asked.output
    if not found:
        out.note("no plugin listens to that" if trigger else "no plugin is installed or added")
        return
    columns = [
        Column("order", right=True, spare=1),
        Column("name", copied=True),
        Column("package", spare=2),
        Column("version", spare=3),
        Column("api", spare=5),
        Column("triggers", right=True, spare=4),
        Column("state"),
        Column("why", wraps=True),
    ]
    out.table(columns, [_row(report) for report in found])


@plugins.command("show", cls=Command)
def show_plugin(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin's name.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show all that is known about a plugin: state, triggers, hooks, options.

    If its code raised, the traceback is shown too. Secret options are masked.

    Examples:
    qtasks plugins show sentry
    qtasks -A shop:app plugins show sentry --json
    """
    asked = invocation(ctx, as_json=as_json)
    app = app_or_plain(asked)
    with quiet():
        reports = app.plugin_reports()
    found = [report for report in reports if report.name == find_plugin(reports, name)]
    if asked.as_json:
        asked.output.document([_document(r) | {"options": options_of(app, r)} for r in found])
        return
    for number, report in enumerate(found):
        if number:
            asked.output.line()
        _show(asked, app, report)


def app_or_plain(asked: Invocation) -> BaseQueueTasks:
    """Returns the app that was named; if none was, one without tasks and plugins of its own."""
    if asked.app_path:
        return asked.app
    return QueueTasks("plugins", config=QueueConfig(broker_url="memory://", storage_url=None))


def find_plugin(reports: Sequence[PluginReport], name: str) -> str:
    """Returns the name of a plugin that was asked for; that of its package does as well.

    Args:
        reports: what became of the plugins.
        name: what was asked for.

    Raises:
        ConfigError: there is none.
    """
    known = {report.name: report.name for report in reports}
    known = {report.distribution: report.name for report in reports} | known
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, list(known), n=1)
    names = ", ".join(sorted({report.name for report in reports})) or "none"
    guess = f" Did you mean {close[0]!r}?" if close else ""
    msg = f"there is no plugin {name!r}.{guess} The plugins: {names}"
    raise ConfigError(msg)


def _check_trigger(app: BaseQueueTasks, name: str) -> None:
    known = app._registry.catalogue  # noqa: SLF001 - plugins of this app may have added some
    if name not in known:
        close = difflib.get_close_matches(name, list(known), n=1)
        guess = f" Did you mean {close[0]!r}?" if close else " `qtasks triggers` lists all of them"
        msg = f"there is no trigger {name!r}.{guess}"
        raise ConfigError(msg)


def _document(report: PluginReport) -> dict[str, Any]:
    return msgspec.structs.asdict(report)


def _row(report: PluginReport) -> list[Any]:
    return [
        report.order or "",
        report.name,
        report.distribution or ("in code" if report.origin == "code" else ""),
        report.version,
        report.api or "–",
        len(report.triggers) if report.state == "active" else "",
        report.state,
        _why(report),
    ]


def _why(report: PluginReport) -> str:
    return ": ".join(filter(None, (report.reason, report.fix)))


def _show(asked: Invocation, app: BaseQueueTasks, report: PluginReport) -> None:
    out = asked.output
    package = f"{report.distribution} {report.version}".strip()
    out.fields(
        {
            "name": report.name,
            "state": report.state,
            "why": report.reason,
            "fix": report.fix,
            "package": package or ("none, it was added in code" if report.origin == "code" else ""),
            "python": report.source,
            "url": report.url,
            "api": report.api or "none said, so 1.0",
            "order": report.order or "",
            "hooks": ", ".join(report.hooks),
        }
    )
    if report.triggers:
        out.line()
        table = app._registry.table  # noqa: SLF001 - as above
        rows = [[name, _place(getattr(table, name, ()), report.name)] for name in report.triggers]
        out.table([Column("trigger", copied=True), Column("asked", wraps=True)], rows)
    if options := options_of(app, report):
        out.line()
        columns = [
            Column("option", copied=True),
            Column("value", wraps=True),
            Column("from", wraps=True, spare=2),
            Column("variable", spare=1),
        ]
        keys = ("name", "value", "from", "variable")
        out.table(columns, [[each[key] for key in keys] for each in options])
    if report.trace:
        out.line()
        out.block(asked.clean(printable(report.trace, lines=True)))


def _place(subscribers: Sequence[Any], name: str) -> str:
    order = list(dict.fromkeys(each.plugin for each in subscribers))
    if len(order) == 1:
        return "alone"
    return f"{order.index(name) + 1} of {len(order)}: {', '.join(order)}"
