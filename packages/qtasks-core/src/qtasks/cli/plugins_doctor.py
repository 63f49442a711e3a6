"""``qtasks plugins doctor``: what is wrong with the plugins."""

import os
from typing import Annotated

import typer

from qtasks._config import read_plugin_settings
from qtasks.app.base import BaseQueueTasks
from qtasks.cli.clashes import clashes
from qtasks.cli.findings import present
from qtasks.cli.health import dry_run, plugin_health, plugin_states, quiet
from qtasks.cli.invocation import AsJson, invocation
from qtasks.cli.plugins import app_or_plain, find_plugin
from qtasks.schemas import Finding

__all__ = ["plugins_doctor"]


def plugins_doctor(
    ctx: typer.Context,
    *,
    only: Annotated[
        str | None, typer.Option("--only", metavar="NAME", help="Only this plugin.")
    ] = None,
    no_start: Annotated[
        bool, typer.Option("--no-start", help="Do not start and stop the plugins.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look for what is wrong with the plugins, of the app or of those installed.

    For each: what it requires, its import, its plugin API, its triggers and
    hooks, its options, names that clash, who switched it off, whether it starts
    and stops, and what it sees itself. The exit code is 0 if all is well, 1 if
    there are warnings, and 2 if there are errors.

    Examples:
    qtasks plugins doctor
    qtasks -A shop:app plugins doctor --json
    qtasks plugins doctor --only sentry
    """
    asked = invocation(ctx, as_json=as_json)
    app = app_or_plain(asked)
    with quiet():
        found = [*plugin_states(app), *_unused_options(app), *clashes(ctx, app._discovery)]  # noqa: SLF001 - the command line looks inside
        used = dict(app._registry.plugins)  # noqa: SLF001 - as above; they are there also if one is missing
    if only is not None:
        only = find_plugin(app.plugin_reports(), only)
        used = {name: plugin for name, plugin in used.items() if name == only}
    if not no_start:
        with quiet():
            found += dry_run(used, app.config.plugin_timeout)
    found += plugin_health(app)
    if only is not None:
        found = [each for each in found if _is_about(each, only)]
    none = Finding("ok", "plugins", "None is installed or added.")
    place = f"plugins of {asked.app_path}" if asked.app_path else "installed plugins"
    present(asked, place, found or [none])


def _is_about(finding: Finding, name: str) -> bool:
    return finding.subject == f"plugin {name}" or finding.subject.startswith(f"{name}: ")


def _unused_options(app: BaseQueueTasks) -> list[Finding]:
    """Finds tables of options of plugins that are not there."""
    settings = read_plugin_settings(os.environ)
    known = {report.name for report in app.plugin_reports()}
    return [
        Finding(
            "warning",
            f"plugin {name}",
            f"It has options in [tool.qtasks.plugins.{name}], and there is no such plugin.",
            "Correct the name, or remove the table.",
        )
        for name in settings.options
        if name not in known
    ]
