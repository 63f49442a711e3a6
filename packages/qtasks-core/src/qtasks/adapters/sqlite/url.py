"""What a ``sqlite://`` URL says."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from qtasks.exc import ConfigError

__all__ = ["Durability", "Target", "parse_url"]

#: What an acknowledged write survives: the death of the process, or a loss of power too.
Durability: TypeAlias = Literal["process", "power"]

_DURABILITIES: Final[dict[str, Durability]] = {"process": "process", "power": "power"}


class Target(msgspec.Struct, frozen=True):
    """Where the database is and how it is written.

    Attributes:
        path: absolute path of the file, without symbolic links.
        durability: ``process`` syncs at checkpoints, ``power`` at every commit.
    """

    path: str
    durability: Durability = "process"


def parse_url(url: str) -> Target:
    """Reads ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.

    The only option is ``durability``: ``process`` (the default) or ``power``.

    Raises:
        ConfigError: the URL names no file, or an option is unknown or has a wrong value.
    """
    parts = urlsplit(url)
    if parts.scheme != "sqlite":
        msg = f"{url!r} is not a SQLite URL: write sqlite:///tasks.db"
        raise ConfigError(msg)
    if parts.fragment:
        msg = f"{url!r} has a # in it, which ends the path in a URL: write %23 instead"
        raise ConfigError(msg)
    if parts.netloc:
        msg = (
            f"{url!r} names the host {parts.netloc!r}, but SQLite is a file on this machine:"
            f" write three slashes, sqlite:///{parts.netloc}{parts.path}"
        )
        raise ConfigError(msg)
    name = unquote(parts.path).removeprefix("/")
    if name in {"", ":memory:"}:
        msg = (
            f"{url!r} names no file, and a queue in SQLite's memory has one connection only:"
            " use memory:// for a queue within one process, or sqlite:///tasks.db for a file"
        )
        raise ConfigError(msg)
    if "\0" in name:
        msg = f"{url!r} has a NUL byte in its path: use a path without it"
        raise ConfigError(msg)
    durability = _durability(parts.query)
    # Two names of one file must share its wake-up directory.
    return Target(str(Path(name).resolve()), durability)


def _durability(query: str) -> Durability:
    """Reads the options behind the question mark."""
    chosen: Durability = "process"
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key != "durability":
            msg = (
                f"the SQLite URL has the unknown option {key}={value!r}:"
                " the only one is durability, which is 'process' or 'power'"
            )
            raise ConfigError(msg)
        if value not in _DURABILITIES:
            msg = f"durability={value!r} is unknown: it is 'process' or 'power'"
            raise ConfigError(msg)
        chosen = _DURABILITIES[value]
    return chosen
