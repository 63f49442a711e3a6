"""The errors of SQLite in the words of QTasks."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from qtasks.exc import ServerError, ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_busy", "primary_code", "translate", "translated"]

_BUSY: Final = (
    ServerUnavailableError,
    "is busy ({name}): another process has been writing for too long; try again",
)
_DAMAGED: Final = (
    ServerError,
    "is damaged ({name}: {error}): stop its processes, then restore a backup or run .recover",
)
_OTHER: Final = (ServerError, "cannot do that ({name}: {error})")

#: What each of SQLite's primary result codes means for the caller.
_WORDS: Final[dict[int, tuple[type[ServerError], str]]] = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_PROTOCOL: _BUSY,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_FULL: (
        ServerUnavailableError,
        "cannot grow ({name}): the disk is full; nothing of this call was written",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        ServerUnavailableError,
        "cannot be opened now ({name}): look at its directory, its rights and `ulimit -n`",
    ),
    sqlite3.SQLITE_IOERR: (
        ServerUnavailableError,
        "cannot be read or written ({name}: {error}): look at the disk and its free space",
    ),
    sqlite3.SQLITE_READONLY: (
        ServerError,
        "is read-only ({name}: {error}): give this user write access to it and its directory",
    ),
}


def primary_code(error: sqlite3.Error) -> int:
    """Returns SQLite's primary result code, or 0 if the error did not come from the library."""
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """Tells whether another connection was in the way."""
    return _WORDS.get(primary_code(error)) is _BUSY


def translate(error: sqlite3.Error, path: str) -> ServerError:
    """Returns the exception that says what happened to the database at ``path``."""
    code = primary_code(error)
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    kind, text = _WORDS.get(code, _OTHER)
    return kind(f"{path} {text.format(name=name, error=error)}")


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turns errors of SQLite inside the block into those of QTasks."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, path) from error
