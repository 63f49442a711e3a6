"""What the environment and the settings file say about plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from qtasks._config.settings import PREFIX
from qtasks._config.sources import TABLE, Source, find_file
from qtasks._config.values import NO, YES
from qtasks.exc import ConfigError

__all__ = ["Given", "PluginSettings", "read_plugin_settings"]

#: The key of the table of plugins that names those that are used, where the table has options too.
_USE: Final = "use"

#: A value and where it came from.
Given: TypeAlias = tuple[Any, Source]


class PluginSettings(msgspec.Struct, frozen=True):
    """Which plugins are wanted, and their options as they stand in the file.

    Attributes:
        use: the only installed plugins that are used; None if nobody says so.
        disabled: plugins that are switched off.
        required: requirements such as ``sentry>=1.0``.
        strict: whether a plugin that is not used because of a mistake is an error.
        options: the tables of options, by the name of the plugin.
        file: the settings file, if there is one.
    """

    use: tuple[tuple[str, ...], Source] | None = None
    disabled: tuple[tuple[str, ...], Source] | None = None
    required: tuple[tuple[str, ...], Source] | None = None
    strict: bool = False
    options: Mapping[str, Mapping[str, Any]] = {}
    file: Source | None = None


def read_plugin_settings(environ: Mapping[str, str]) -> PluginSettings:
    """Reads what is said of plugins; the environment wins over the file.

    ``QTASKS_PLUGINS`` set to nothing means "none"; the other variables count as not set then.

    Args:
        environ: the environment.

    Raises:
        ConfigError: something there is no list of names, or the like.
    """
    file = find_file(environ)
    table = dict(file.plugins) if file else {}
    source = file.source if file else None
    plugins = table.get("plugins", {})
    tables = _tables(plugins, source)
    if isinstance(plugins, Mapping):
        table["plugins"] = plugins.get(_USE) if _USE not in tables else None
    names = {
        key: _names(key, environ, table.get(key), source)
        for key in ("plugins", "disable_plugins", "required_plugins")
    }
    return PluginSettings(
        use=names["plugins"],
        disabled=names["disable_plugins"],
        required=names["required_plugins"],
        strict=_switch("strict_plugins", environ, table.get("strict_plugins"), source),
        options=tables,
        file=source,
    )


def _names(
    key: str, environ: Mapping[str, str], listed: Any, file: Source | None
) -> tuple[tuple[str, ...], Source] | None:
    variable = f"{PREFIX}{key.upper()}"
    text = environ.get(variable)
    if text is not None and (text.strip() or key == "plugins"):
        names = tuple(filter(None, map(str.strip, text.split(","))))
        return names, Source("environment", variable)
    if listed is None or file is None:
        return None
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        msg = (
            f"{key} = {listed!r} (from {file.phrase}): write a list of names, for example"
            ' ["retry", "sentry"]'
        )
        raise ConfigError(msg)
    return tuple(name.strip() for name in listed), file


def _tables(plugins: Any, file: Source | None) -> dict[str, Mapping[str, Any]]:
    """Returns the tables of options below ``plugins``.

    Raises:
        ConfigError: something else stands there.
    """
    if not isinstance(plugins, Mapping):
        return {}
    for name, value in plugins.items():
        if not isinstance(value, Mapping) and name != _USE:
            assert file is not None  # noqa: S101 - there is a table, so there is a file
            dotted = f"{TABLE[1:-1]}.plugins"
            msg = (
                f"{name} (from [{dotted}] in {file.where}): options of a plugin stand"
                f" in a table of their own, [{dotted}.NAME]; use = [...] says which are used"
            )
            raise ConfigError(msg)
    return {name: value for name, value in plugins.items() if isinstance(value, Mapping)}


def _switch(key: str, environ: Mapping[str, str], value: Any, file: Source | None) -> bool:
    variable = f"{PREFIX}{key.upper()}"
    if text := environ.get(variable, "").strip():
        word = text.lower()
        if word in YES or word in NO:
            return word in YES
        msg = f"setting {key} = {text!r} (from {variable}): use yes or no"
        raise ConfigError(msg)
    if value is None or isinstance(value, bool):
        return bool(value)
    assert file is not None  # noqa: S101 - the value stands there
    msg = f"setting {key} = {value!r} (from {file.phrase}): use true or false"
    raise ConfigError(msg)
