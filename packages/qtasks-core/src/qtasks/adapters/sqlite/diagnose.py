"""What a look at the file says about its fitness.

Nothing here opens a descriptor of the file: closing it would drop the locks of all connections of
the process (POSIX).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qtasks.adapters.sqlite import faults
from qtasks.adapters.sqlite.filesystem import file_system
from qtasks.schemas import Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks.adapters.sqlite.url import Target

__all__ = ["diagnose"]

_MIB: Final = 1 << 20

#: The first versions without the fault that checkpoint.py works around, on each branch.
_REPAIRED: Final = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
#: Free bytes of the disk below which there is a warning, and an error.
_LITTLE: Final = 512 * _MIB
_NOTHING: Final = 32 * _MIB
#: Bytes of a log that somebody keeps from being copied; it is cut back at about 4 MiB otherwise.
_LONG_LOG: Final = 64 * _MIB
#: Seconds that the check of the whole file may take, and SQLite's steps between two looks at the
#: clock.
_PATIENCE: Final = 2.0
_STEPS: Final = 10_000

_FLEETING: Final = frozenset({"ramfs", "tmpfs"})


def diagnose(conn: sqlite3.Connection, target: Target) -> list[Finding]:
    """Looks at a database and at the disk it lies on; it only reads.

    Args:
        conn: a connection that is not used meanwhile.
        target: where the database is, and how it is written.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    path = Path(target.path)
    return [
        _server(conn, path),
        _log_fault(sqlite3.sqlite_version_info),
        _journal(conn),
        _persistence(target),
        _file_system(file_system(target.path)),
        _space(path),
        *_rights(path),
        _log(path),
        _integrity(conn),
    ]


def _server(conn: sqlite3.Connection, path: Path) -> Finding:
    (pages,) = conn.execute("PRAGMA page_count").fetchone()
    (size,) = conn.execute("PRAGMA page_size").fetchone()
    text = f"SQLite {sqlite3.sqlite_version} on {path}, {_size(pages * size)}."
    return Finding("ok", "server", text)


def _log_fault(version: tuple[int, ...]) -> Finding:
    """Says whether SQLite has the fault of its write-ahead log; QTasks never runs into it."""
    shown = ".".join(map(str, version))
    repaired = version >= _REPAIRED[0] or any(
        version[:2] == fixed[:2] and version >= fixed for fixed in _REPAIRED
    )
    if repaired:
        return Finding("ok", "SQLite version", f"{shown} restarts its log safely.")
    return Finding(
        "ok",
        "SQLite version",
        f"{shown} can damage a file when its log is copied while others write; QTasks copies it"
        " under the write lock, which keeps that from happening.",
        "Other programs that write to this file must set PRAGMA wal_autocheckpoint = 0, or use"
        " SQLite 3.51.3.",
    )


def _journal(conn: sqlite3.Connection) -> Finding:
    (mode,) = conn.execute("PRAGMA journal_mode").fetchone()
    if mode == "wal":
        return Finding("ok", "journal", "It is a write-ahead log: readers and writers go together.")
    return Finding(
        "error",
        "journal",
        f"Its mode is {mode!r} instead of 'wal': another program changed it, and readers and"
        " writers lock each other out.",
        "Stop all processes that use the file and start a worker, which sets the mode again.",
    )


def _persistence(target: Target) -> Finding:
    if target.durability == "power":
        text = "Acknowledged tasks survive the death of a process and a loss of power."
        return Finding("ok", "persistence", text)
    return Finding(
        "ok",
        "persistence",
        "Acknowledged tasks survive the death of a process; a loss of power may take the last"
        " moments (durability=process).",
        "Add ?durability=power to the URL if they must survive that too.",
    )


def _file_system(kind: str | None) -> Finding:
    if kind in _FLEETING:
        return Finding(
            "warning",
            "file system",
            f"The file lies in memory ({kind}): a restart of the machine removes it.",
            "Put it on a disk if tasks must survive a restart.",
        )
    if kind == "overlay":
        return Finding(
            "ok",
            "file system",
            "The file lies on an overlay, as in a container.",
            "Put it on a volume if it must outlive the container.",
        )
    if not kind:
        text = "This system does not tell which one it is; QTasks needs a local disk."
        return Finding("ok", "file system", text)
    return Finding("ok", "file system", f"The file lies on {kind}, no network file system.")


def _space(path: Path) -> Finding:
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        return Finding(
            "warning",
            "disk space",
            f"It cannot be asked for ({error.strerror}).",
            f"Look at {path.parent}.",
        )
    text = f"{_size(free)} are free in {path.parent}."
    if free >= _LITTLE:
        return Finding("ok", "disk space", text)
    return Finding(
        "warning" if free >= _NOTHING else "error",
        "disk space",
        text,
        "Make room: a full disk refuses new tasks, and outcomes wait in the workers.",
    )


def _rights(path: Path) -> list[Finding]:
    """Says who else may write or read; where rights are not kept as mode bits, nothing."""
    if os.name == "nt":
        return []
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & stat.S_IWOTH:
        return [
            Finding(
                "error",
                "permissions",
                f"Every user of this machine may write to the file (mode {mode:04o}) and so add"
                " tasks to it.",
                f"Run chmod o-rwx {path}*",
            )
        ]
    if mode & stat.S_IROTH:
        return [
            Finding(
                "warning",
                "permissions",
                f"Every user of this machine may read the file (mode {mode:04o}) and so the"
                " arguments and results of tasks.",
                f"Run chmod o-rwx {path}*",
            )
        ]
    text = f"Other users of this machine have no access to the file (mode {mode:04o})."
    return [Finding("ok", "permissions", text)]


def _log(path: Path) -> Finding:
    try:
        size = Path(f"{path}-wal").stat().st_size
    except OSError:
        size = 0
    text = f"{_size(size)} wait in the write-ahead log."
    if size <= _LONG_LOG:
        return Finding("ok", "log", text)
    return Finding(
        "warning",
        "log",
        f"{text[:-1]}: somebody reads without end, which keeps it from being copied.",
        "End the program that holds a transaction open on the file, such as a sqlite3 shell.",
    )


def _integrity(
    conn: sqlite3.Connection, clock: Callable[[], float] = time.monotonic, limit: float = _PATIENCE
) -> Finding:
    """Checks the whole file, or as much of it as can be read in ``limit`` seconds."""
    deadline = clock() + limit
    conn.set_progress_handler(lambda: clock() >= deadline, _STEPS)
    try:
        (found,) = conn.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if faults.primary_code(error) != sqlite3.SQLITE_INTERRUPT:
            raise
        text = f"No fault was found in {limit:g} seconds; the file is too large to check it all."
        return Finding("ok", "integrity", text)
    finally:
        conn.set_progress_handler(None, 0)
    if found == "ok":
        return Finding("ok", "integrity", "The whole file was checked and is sound.")
    return Finding(
        "error",
        "integrity",
        f"The file is damaged: {' '.join(str(found).split())}.",
        "Stop all its processes, then restore a backup or run .recover in the sqlite3 shell.",
    )


def _size(count: int) -> str:
    """Returns a number of bytes as people read it."""
    for unit, size in (("GiB", 1 << 30), ("MiB", _MIB), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
