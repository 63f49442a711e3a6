"""Where settings come from besides code: the environment, and a table in a TOML file."""

from __future__ import annotations

import difflib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from qtasks._config.names import FORMER, unknown_setting
from qtasks._config.settings import PREFIX, SETTINGS
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CODE",
    "DEFAULT",
    "FILE_VARIABLE",
    "TABLE",
    "SettingsFile",
    "Source",
    "find_file",
    "from_environment",
]

log = logging.getLogger("qtasks.config")

#: The table of a file that holds settings.
TABLE: Final = "[tool.qtasks]"
#: The variable that names the file, instead of looking for it.
FILE_VARIABLE: Final = f"{PREFIX}CONFIG_FILE"

_FILE_NAME: Final = "pyproject.toml"
#: What stands in the table, and in variables, and says which plugins are used.
_OF_PLUGINS: Final = ("plugins", "disable_plugins", "required_plugins", "strict_plugins")
#: Variables of everybody that are no settings.
_OTHER_VARIABLES: Final = ("app", "config_file", *_OF_PLUGINS)
#: How much alike a variable and a setting are if one is a slip of the other, from 0 to 1.
_NEAR: Final = 0.8


class Source(msgspec.Struct, frozen=True):
    """Where the value of a setting came from.

    Attributes:
        kind: which kind of place that is.
        where: the name of the environment variable or the path of the file, else empty.
    """

    kind: Literal["default", "code", "environment", "file"]
    where: str = ""

    def __str__(self) -> str:
        """Returns the place, or its kind if there is only one of that kind."""
        return self.where or self.kind

    @property
    def phrase(self) -> str:
        """The place as it stands in a sentence, after "from"."""
        return f"{TABLE} in {self.where}" if self.kind == "file" else str(self)


DEFAULT: Final = Source("default")
CODE: Final = Source("code")


class SettingsFile(msgspec.Struct, frozen=True):
    """A file that holds settings.

    Attributes:
        source: the file as a source.
        values: what its table says of settings, by name.
        plugins: what it says of plugins, by name; it is not checked yet.
    """

    source: Source
    values: dict[str, Any]
    plugins: dict[str, Any] = {}


def from_environment(environ: Mapping[str, str]) -> dict[str, tuple[str, Source]]:
    """Returns the texts that the environment gives, by setting; empty ones count as not given.

    A variable that looks like a slip of the name of a setting is logged.

    Raises:
        ConfigError: a variable gives a setting that is gone.
    """
    given = {}
    for variable, text in environ.items():
        name = variable.removeprefix(PREFIX).lower()
        if variable != PREFIX + name.upper() or not text.strip():
            continue
        if name in SETTINGS:
            given[name] = text.strip(), Source("environment", variable)
        elif name in FORMER:
            raise ConfigError(unknown_setting(name, variable))
        elif name not in _OTHER_VARIABLES:
            _warn_if_slip(variable, name)
    return given


def _warn_if_slip(variable: str, name: str) -> None:
    known = [*SETTINGS, *_OTHER_VARIABLES]
    close = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
    if close:
        meant = PREFIX + close[0].upper()
        log.warning("%s means nothing and is ignored; did you mean %s?", variable, meant)


def find_file(environ: Mapping[str, str]) -> SettingsFile | None:
    """Finds the settings file and reads it.

    ``QTASKS_CONFIG_FILE`` names it. Else it is the nearest ``pyproject.toml`` with the table
    ``[tool.qtasks]``: in the working directory, its parent, and so on up to the root.

    Raises:
        ConfigError: the file cannot be read, or holds what is no setting.
    """
    if named := environ.get(FILE_VARIABLE, "").strip():
        path = Path(named).absolute()
        table = _table_in(path, _read(path))
        if table is None:
            msg = f"{FILE_VARIABLE}={named}: there is no table {TABLE} in {path}"
            raise ConfigError(msg)
        return _checked(path, table)
    for path in _candidates():
        table = _table_in(path, _read_if_there(path))
        if table is not None:
            return _checked(path, table)
    return None


def _candidates() -> list[Path]:
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the working directory was removed
        return []
    return [directory / _FILE_NAME for directory in (here, *here.parents)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"{FILE_VARIABLE} names {path}, which cannot be read: {error.strerror}"
        raise ConfigError(msg) from None


def _read_if_there(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return b""
    except OSError as error:
        log.warning("%s is not looked through for settings: %s", path, error.strerror)
        return b""


def _table_in(path: Path, content: bytes) -> dict[str, Any] | None:
    """Returns the table of a file; None if it has none."""
    if b"qtasks" not in content:  # saves most projects the parser, and keeps their mistakes theirs
        return None
    import tomllib

    try:
        document = tomllib.loads(content.decode())
    except ValueError as error:  # of the syntax or the encoding
        msg = f"{path} cannot be read as TOML: {error}"
        raise ConfigError(msg) from None
    tool = document.get("tool")
    table = tool.get("qtasks") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        msg = f"tool.qtasks in {path} is no table: write {TABLE} and the settings below it"
        raise ConfigError(msg)
    return table


def _checked(path: Path, table: dict[str, Any]) -> SettingsFile:
    source = Source("file", str(path))
    values = {name: value for name, value in table.items() if name not in _OF_PLUGINS}
    for name in values.keys() - SETTINGS.keys():
        raise ConfigError(unknown_setting(name, source.phrase, also=_OF_PLUGINS))
    plugins = {name: value for name, value in table.items() if name in _OF_PLUGINS}
    return SettingsFile(source, values, plugins)
