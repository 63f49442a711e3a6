"""The errors of SQLite in the words of QTasks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from qtasks.exc import ServerError, ServerUnavailableError

__all__ = ["is_busy", "primary_code", "translate", "translated"]

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def primary_code(error: sqlite3.Error) -> int:
    """Returns SQLite's primary result code, or 0 if the error did not come from the library."""
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """Tells whether another connection was in the way."""
    return primary_code(error) in _BUSY


def translate(error: sqlite3.Error, path: str) -> ServerError:
    """Returns the exception that says what happened to the database at ``path``."""
    code = primary_code(error)
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    if code in _BUSY:
        return ServerUnavailableError(
            f"{path} is busy ({name}): another process has been writing for too long; try again"
        )
    if code == sqlite3.SQLITE_FULL:
        return ServerUnavailableError(
            f"{path} cannot grow ({name}): the disk is full; nothing of this call was written"
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return ServerUnavailableError(
            f"{path} cannot be opened ({name}): its directory, its rights or the limit of open"
            " files does not allow it now"
        )
    if code == sqlite3.SQLITE_IOERR:
        return ServerUnavailableError(
            f"{path} cannot be read or written ({name}: {error}): look at the disk and its space"
        )
    if code == sqlite3.SQLITE_READONLY:
        return ServerError(
            f"{path} cannot be written ({name}: {error}): give this user write access to the file"
            " and its directory"
        )
    if code in _DAMAGED:
        return ServerError(
            f"{path} is damaged ({name}: {error}): stop all its processes, then restore a backup"
            " or save what is left with `sqlite3 FILE .recover`"
        )
    return ServerError(f"{path}: SQLite failed ({name}: {error})")


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turns errors of SQLite inside the block into those of QTasks."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, path) from error
