"""Options of plugins: found, read, checked, and put into the struct that the plugin declares.

The command line wins over the environment, the environment over the file, the file over the
defaults.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks._config import CODE, DEFAULT, SETTINGS, Source
from qtasks._runtime.errors import safe_text
from qtasks.contracts.secrets import mask_url
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from qtasks._config import PluginSettings
    from qtasks._discovery.switches import Switches

__all__ = [
    "OptionSources",
    "options_class",
    "read_options",
    "retyped",
    "shown_option",
    "sources_of",
    "variable_of",
]

log = logging.getLogger("qtasks.plugins")

_PREFIX: Final = "QTASKS_"
#: Options whose values are not shown.
_SECRET: Final = re.compile(r"pass|pwd|secret|token|credential|key|dsn|signature", re.IGNORECASE)
_YES: Final = frozenset({"yes", "on"})
_NO: Final = frozenset({"no", "off"})
_MOST: Final = 80
#: The command line, whose values are text as those of the environment are.
_TYPED: Final = Source("environment", "the command line")


def options_class(plugin: Any) -> type[msgspec.Struct] | None:
    """Returns the struct in which a plugin declares its options, or None.

    Args:
        plugin: the plugin, or its class.

    Raises:
        ConfigError: what it declares is no struct.
    """
    declared = getattr(plugin, "Options", None)
    if declared is None:
        return None
    if isinstance(declared, type) and issubclass(declared, msgspec.Struct):
        return declared
    msg = f"Options = {declared!r}: declare the options as a class that derives from msgspec.Struct"
    raise ConfigError(msg)


def variable_of(plugin: str, option: str) -> str:
    """Returns the environment variable that gives an option."""
    return _PREFIX + re.sub(r"\W", "_", f"{plugin}_{option}").upper()


class OptionSources(msgspec.Struct, frozen=True):
    """Where the options of one plugin stand.

    Attributes:
        table: its table in the settings file.
        file: that file.
        environ: the environment.
        typed: what the command line gives.
    """

    table: Mapping[str, Any]
    file: Source | None
    environ: Mapping[str, str]
    typed: Mapping[str, str]

    @classmethod
    def of(cls, plugin: str, settings: PluginSettings, switches: Switches) -> OptionSources:
        """Returns the sources of a plugin.

        Args:
            plugin: its name.
            settings: what the settings file says.
            switches: what the command line says.
        """
        return cls(
            settings.options.get(plugin, {}),
            settings.file,
            os.environ,
            switches.options.get(plugin, {}),
        )


def read_options(
    plugin: str, declared: type[msgspec.Struct], sources: OptionSources
) -> msgspec.Struct:
    """Makes the options of a plugin.

    Args:
        plugin: its name.
        declared: the struct that declares them.
        sources: where they stand.

    Raises:
        ConfigError: an option is unknown or missing, or its value cannot be used; the message
            names plugin, option and source.
    """
    fields = {field.name: field for field in msgspec.structs.fields(declared)}
    given = _given(plugin, fields, sources)
    values = {name: _read(plugin, fields[name], *found) for name, found in given.items()}
    for name, field in fields.items():
        if field.required and name not in values:
            raise ConfigError(_missing(plugin, name))
    try:
        made = declared(**values)
    except (TypeError, ValueError) as error:  # from __post_init__
        msg = f"options of plugin {plugin}{_places(given)}: {safe_text(error)}"
        raise ConfigError(msg) from None
    return made


def _places(given: Mapping[str, tuple[Any, Source]]) -> str:
    """Returns where options stand, of which nobody says which one is wrong."""
    places = dict.fromkeys(source.where for _, source in given.values())
    return f" (from {', '.join(places)})" if places else ""


def retyped(plugin: str, options: msgspec.Struct, typed: Mapping[str, str]) -> msgspec.Struct:
    """Returns options that the code gave, with those of the command line in their places.

    Args:
        plugin: the plugin's name.
        options: its options.
        typed: what the command line gives.

    Raises:
        ConfigError: a value cannot be used.
    """
    fields = {field.name: field for field in msgspec.structs.fields(options)}
    values = {name: _read(plugin, fields[name], text, _TYPED) for name, text in typed.items()}
    try:
        return msgspec.structs.replace(options, **values)
    except (TypeError, ValueError) as error:  # from __post_init__
        msg = f"options of plugin {plugin} (from {_TYPED.where}): {safe_text(error)}"
        raise ConfigError(msg) from None


def sources_of(plugin: str, options: msgspec.Struct, sources: OptionSources) -> dict[str, Source]:
    """Returns where each option of a plugin that is used came from.

    Args:
        plugin: the plugin's name.
        options: its options, as they are.
        sources: where they may stand.
    """
    fields = {field.name: field for field in msgspec.structs.fields(options)}
    found: dict[str, Source] = {}
    try:
        given = _given(plugin, fields, sources)
    except ConfigError:  # nobody has read them: an instance in code has its own
        given = {}
    for name, field in fields.items():
        value = getattr(options, name)
        source = CODE
        if name in given and _is_read(plugin, field, value, *given[name]):
            source = given[name][1]
        elif not field.required and value == _default(field):
            source = DEFAULT
        found[name] = source
    return found


def _is_read(
    plugin: str, field: msgspec.structs.FieldInfo, value: Any, given: Any, source: Source
) -> bool:
    try:
        return bool(value == _read(plugin, field, given, source))
    except ConfigError:
        return False


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _given(
    plugin: str, fields: Mapping[str, msgspec.structs.FieldInfo], sources: OptionSources
) -> dict[str, tuple[Any, Source]]:
    given: dict[str, tuple[Any, Source]] = {}
    for name, value in sources.table.items():
        assert sources.file is not None  # noqa: S101 - the table stands in it
        given[name.replace("-", "_")] = value, sources.file
    for name in given.keys() - fields.keys():
        raise ConfigError(_unknown(plugin, name, fields, f"[tool.qtasks.plugins.{plugin}]"))
    variables = {variable_of(plugin, name): name for name in fields}
    for variable, name in variables.items():
        text = sources.environ.get(variable, "").strip()
        if text and variable.removeprefix(_PREFIX).lower() not in SETTINGS:
            given[name] = text, Source("environment", variable)
    _warn_of_slips(plugin, variables, sources.environ)
    for name, text in sources.typed.items():
        given[name] = text, _TYPED
    return given


def _warn_of_slips(plugin: str, variables: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Logs variables that look as if they were meant for the plugin."""
    start = variable_of(plugin, "")
    for variable in environ:
        if not variable.startswith(start) or variable in variables:
            continue
        if close := difflib.get_close_matches(variable, list(variables), n=1, cutoff=0.8):
            log.warning("%s means nothing and is ignored; did you mean %s?", variable, close[0])


def _read(plugin: str, field: msgspec.structs.FieldInfo, value: Any, source: Source) -> Any:
    as_text = source.kind == "environment"
    try:
        return _from_text(value, field.type) if as_text else msgspec.convert(value, field.type)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        where = f"[tool.qtasks.plugins.{plugin}] in {source.where}"
        msg = (
            f"option {field.name} of plugin {plugin} = {shown_option(field.name, value)}"
            f" (from {source.where if as_text else where}): {error}"
        )
        raise ConfigError(msg) from None


def _from_text(text: str, kind: Any) -> Any:
    """Reads a text as a value: as it is, as a switch, as JSON, or as a list with commas."""
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        refused = error
    word = text.lower()
    others: list[Any] = [word in _YES] if word in _YES | _NO else []
    if text[:1] in "[{":
        others.append(msgspec.json.decode(text))
    others.append([part.strip() for part in text.split(",") if part.strip()])
    for other in others:
        try:
            return msgspec.convert(other, kind, strict=False)
        except msgspec.ValidationError:
            continue
    raise refused


def shown_option(option: str, value: Any) -> str:
    """Returns the value of an option for people; one that sounds secret is masked.

    Args:
        option: its name.
        value: its value.
    """
    if value and _SECRET.search(option):
        return "***"
    shown = repr(mask_url(value)) if isinstance(value, str) else repr(value)
    return shown if len(shown) <= _MOST else f"{shown[:_MOST]}…"


def _unknown(plugin: str, name: str, fields: Mapping[str, Any], where: str) -> str:
    close = difflib.get_close_matches(name, list(fields), n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    known = f"It has {', '.join(fields)}" if fields else "It has none"
    return f"plugin {plugin} has no option {name!r} (from {where}).{guess} {known}"


def _missing(plugin: str, name: str) -> str:
    return (
        f"plugin {plugin} needs the option {name}: set {variable_of(plugin, name)}, or {name} in"
        f" [tool.qtasks.plugins.{plugin}]"
    )
