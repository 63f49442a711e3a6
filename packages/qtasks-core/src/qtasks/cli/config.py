"""``qtasks config``: every setting, its value, and where that came from."""

import os
from pathlib import Path
from typing import Any, Final

import typer

from qtasks._config import (
    FILE_VARIABLE,
    SETTINGS,
    TABLE,
    Kind,
    QueueConfig,
    find_file,
    read_plugin_settings,
    show,
)
from qtasks.cli.health import quiet
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.output import Output
from qtasks.cli.plugin_options import options_of, unusable
from qtasks.cli.plugins import app_or_plain
from qtasks.cli.tables import Column

__all__ = ["config"]

#: The columns of what is said of plugins.
_KEYS: Final = ("name", "value", "from")
#: Settings of these kinds may hold what is secret.
_SECRET: Final = (Kind.KEYS, Kind.URL)


def config(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Show every setting, its value, and where that came from.

    With -A these are the settings of the app, else those that the environment
    and the settings file give. Code wins over the environment, the environment
    over the file. Passwords are masked. What environment and file say of plugins
    stands below, and the options of those that are used.

    Examples:
    qtasks config
    qtasks -A shop:app config
    QTASKS_LEASE=30 qtasks config --json
    """
    asked = invocation(ctx, as_json=as_json)
    settings = asked.app.config if asked.app_path else QueueConfig()
    file, about_plugins = find_file(os.environ), _about_plugins()
    options, refused = _plugin_options(asked)
    if asked.as_json:
        asked.output.document(
            {
                "app": asked.app_path,
                "file": file and file.source.where,
                "settings": [_entry(settings, name) for name in SETTINGS],
                "plugins": about_plugins,
                "plugin_options": options,
                "unusable_plugins": refused,
            }
        )
        return
    out = asked.output
    out.line(f"settings of {asked.app_path}" if asked.app_path else "settings without an app")
    out.line(f"file: {file.source.where}" if file else f"file: {_no_file()}")
    out.line()
    out.table(
        [
            Column("setting", copied=True),
            Column("value", wraps=True),
            Column("unit", spare=2),
            Column("from", wraps=True, spare=3),
            Column("changes apply", spare=1),
        ],
        [_row(settings, name) for name in SETTINGS],
    )
    if about_plugins:
        _table(out, "plugins", [[each[key] for key in _KEYS] for each in about_plugins])
    if options:
        rows = [
            [f"{each['plugin']}.{each['name']}", each["value"], each["from"]] for each in options
        ]
        _table(out, "plugin option", rows)
    if refused:
        out.line()
    for each in refused:
        out.line(f"plugin {each['plugin']} is {each['why']}")


def _table(out: Output, name: str, rows: list[list[Any]]) -> None:
    out.line()
    columns = [Column(name, copied=True), Column("value", wraps=True), Column("from", wraps=True)]
    out.table(columns, rows)


def _plugin_options(asked: Invocation) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Returns the options of the plugins that are used, and why others cannot be."""
    app = app_or_plain(asked)
    with quiet():
        reports = app.plugin_reports()
    options = [
        {"plugin": report.name, **option}
        for report in reports
        if report.state == "active"
        for option in options_of(app, report)
    ]
    return options, [{"plugin": r.name, "why": why} for r in reports if (why := unusable(r))]


def _about_plugins() -> list[dict[str, Any]]:
    """Returns what environment and file say about which plugins are used."""
    said = read_plugin_settings(os.environ)
    names = {
        "plugins": said.use,
        "disable_plugins": said.disabled,
        "required_plugins": said.required,
    }
    return [
        {"name": name, "value": ",".join(given[0]) or "none", "from": str(given[1])}
        for name, given in names.items()
        if given is not None
    ]


def _no_file() -> str:
    searched = f"no pyproject.toml from {Path.cwd()} upwards has {TABLE}"
    return f"none; {FILE_VARIABLE} is not set, and {searched}"


def _row(settings: QueueConfig, name: str) -> list[Any]:
    setting = SETTINGS[name]
    value = show(getattr(settings, name))
    return [name, value, setting.unit, settings.source(name), setting.applies]


def _entry(settings: QueueConfig, name: str) -> dict[str, Any]:
    value, source = getattr(settings, name), settings.source(name)
    return {
        "name": name,
        "value": show(value) if SETTINGS[name].kind in _SECRET and value is not None else value,
        "default": SETTINGS[name].default,
        "source": source.kind,
        "where": source.where or None,
        "variable": SETTINGS[name].variable,
        "applies": SETTINGS[name].applies,
    }
