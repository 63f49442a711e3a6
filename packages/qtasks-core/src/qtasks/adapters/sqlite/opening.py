"""How a connection to the file is opened, and the file made ready the first time.

Only SQLite opens the file once a connection may exist in this process: closing any other
descriptor of it would drop the locks of all connections (POSIX). So what is wrong with a file is
asked through SQLite, and the one descriptor of our own creates the file and is closed before.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

from qtasks.adapters.sqlite import faults, schema
from qtasks.adapters.sqlite.filesystem import refuse_network
from qtasks.exc import ConfigError, ServerError, ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtasks.adapters.sqlite.url import Target

__all__ = ["BUSY_TIMEOUT", "WAL_LIMIT_PAGES", "connect", "patiently", "prepare"]

T = TypeVar("T")

#: Seconds to wait while other processes write.
BUSY_TIMEOUT: Final = 5.0

#: Pages in the write-ahead log after which it is copied into the database.
WAL_LIMIT_PAGES: Final = 1000

#: Seconds between two attempts to write while somebody else does.
_PAUSE: Final = 0.0005
_LONGEST_PAUSE: Final = 0.003

_OLDEST: Final = (3, 24, 0)  # the first with ON CONFLICT DO UPDATE

#: gh-118172: on CPython 3.12 and newer two threads that use one connection *at the same time* can
#: be given the same cached statement. Ours never do: every connection has a lock, and every cursor
#: is read to its end before the lock is given back. So the cache is safe, and it saves a parse for
#: each of the few statements there are.
_CACHED_STATEMENTS: Final = 64


def connect(target: Target) -> sqlite3.Connection:
    """Opens one connection; it never creates the file.

    ``timeout`` is 0 because :func:`patiently` waits better: SQLite's own waiting sleeps up to
    100 ms at a time, or whole seconds where it was built without ``usleep``.
    """
    conn = sqlite3.connect(
        f"file:{quote(target.path)}?mode=rw",
        uri=True,
        timeout=0.0,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
    )
    try:
        # Another process may be making the file ready, and then even a setting has to wait.
        patiently(lambda: _set_up(conn, target))
    except BaseException:
        conn.close()
        raise
    return conn


def _set_up(conn: sqlite3.Connection, target: Target) -> None:
    """Sets what SQLite does not remember in the file."""
    # Automatic checkpoints can corrupt the file in SQLite before 3.51.3, see checkpoint.py.
    conn.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
    level = "FULL" if target.durability == "power" else "NORMAL"
    conn.execute(f"PRAGMA synchronous = {level}")
    conn.execute("PRAGMA mmap_size = 0").fetchall()
    conn.execute("PRAGMA temp_store = MEMORY")
    conn.execute("PRAGMA secure_delete = FAST").fetchall()
    conn.execute("PRAGMA trusted_schema = OFF")


def patiently(action: Callable[[], T], limit: float = BUSY_TIMEOUT) -> T:
    """Repeats an action while another connection is in its way, for at most ``limit`` seconds."""
    deadline = time.monotonic() + limit
    pause = _PAUSE
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if not faults.is_busy(error) or time.monotonic() >= deadline:
                raise
        time.sleep(pause)
        # Hardly ever longer than a transaction: who sleeps longer than the others starves.
        pause = min(pause * 1.1, _LONGEST_PAUSE)


def prepare(target: Target, migrations: Sequence[Sequence[str]]) -> None:
    """Creates the file if it is missing, checks whose it is, and brings it up to date.

    Raises:
        ConfigError: the path cannot be used; the message says why and what to do.
        ServerUnavailableError: the file is in use for too long.
        ServerError: the file is damaged.
    """
    path = target.path
    if sqlite3.sqlite_version_info < _OLDEST:
        msg = (
            f"Python {platform.python_version()} was built with SQLite {sqlite3.sqlite_version},"
            " and qtasks needs 3.24 or newer: use another Python, or redis:// or memory://"
        )
        raise ConfigError(msg)
    refuse_network(path)
    _refuse_links(path)
    _create(path)
    try:
        conn = connect(target)
        try:
            _settle(conn, target, migrations)
        finally:
            conn.close()
    except sqlite3.Error as error:
        raise _explain(error, path) from error


def _refuse_links(path: str) -> None:
    """Raises if somebody has SQLite write elsewhere; links in the URL itself were followed before.

    Whoever may write to the directory could otherwise have a file of this user overwritten.
    """
    for place in (path, f"{path}-wal", f"{path}-shm", f"{path}-journal"):
        if os.path.islink(place):  # noqa: PTH114 - the other one raises where nobody may look
            msg = (
                f"{place} is a symbolic link, and SQLite would write to where it leads: remove it,"
                " and keep the database in a directory that only its user may write to"
            )
            raise ConfigError(msg)


def _create(path: str) -> None:
    """Creates the empty file for its owner alone; SQLite gives its companions the same rights."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if Path(path).is_dir():
            msg = f"{path} is a directory: name a file in it, for example {path}/qtasks.db"
            raise ConfigError(msg) from None
        _may_write(path)
    except (FileNotFoundError, NotADirectoryError):
        parent = Path(path).parent
        msg = f"{path} cannot be created: {parent} is no directory; create it, mkdir -p {parent}"
        raise ConfigError(msg) from None
    except OSError as error:
        msg = (
            f"{path} cannot be created ({error.strerror}): give this user write access to"
            f" {Path(path).parent}, or choose another place"
        )
        raise ConfigError(msg) from error


def _may_write(path: str) -> None:
    """Raises if this user may not write a file and its directory; asking opens no descriptor.

    Left to itself SQLite would open a read-only file and leave companions beside it that are
    read-only too.
    """
    effective = os.access in os.supports_effective_ids
    for place, mode in ((path, os.R_OK | os.W_OK), (Path(path).parent, os.W_OK | os.X_OK)):
        if not os.access(place, mode, effective_ids=effective):
            msg = (
                f"{path} cannot be opened for writing: give this user write access to {place};"
                " SQLite writes the file and keeps two more beside it"
            )
            raise ConfigError(msg)


def _settle(conn: sqlite3.Connection, target: Target, migrations: Sequence[Sequence[str]]) -> None:
    """Makes the file a current database of ours."""
    path = target.path
    # Before anything is written, so that a stranger's file stays as it is.
    version = patiently(lambda: schema.check(conn, path, len(migrations)))
    (mode,) = patiently(lambda: conn.execute("PRAGMA journal_mode = WAL").fetchone())
    if mode != "wal":
        msg = (
            f"{path} cannot use a write-ahead log (its journal mode stays {mode!r}):"
            " put the database on a local disk"
        )
        raise ConfigError(msg)
    if version < len(migrations):
        patiently(lambda: schema.migrate(conn, path, migrations))
        return
    # SQLite opens what it may only read without a word, and even gives a "write lock" on it.
    patiently(lambda: conn.execute("BEGIN IMMEDIATE"))
    try:
        conn.execute(f"PRAGMA user_version = {version:d}")
    finally:
        conn.execute("ROLLBACK")


def _explain(error: sqlite3.Error, path: str) -> Exception:
    """Returns what was wrong with the file, as the one who chose it can understand it."""
    code = faults.primary_code(error)
    if code == sqlite3.SQLITE_NOTADB:
        return ConfigError(
            f"{path} is not a SQLite database: choose another file, for example sqlite:///qtasks.db"
        )
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return ConfigError(
            f"{path} cannot be opened for writing ({error}): give this user write access to the"
            f" file and to {Path(path).parent}, where SQLite keeps two more files beside it"
        )
    fault: ServerError | ServerUnavailableError = faults.translate(error, path)
    return fault
