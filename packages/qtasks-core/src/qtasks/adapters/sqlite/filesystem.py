"""Which file systems can hold a database that several processes share.

WAL needs memory that all processes map alike, and locks that hold. Network file systems have
neither, so they are refused. overlayfs is fine: a container's writable layer lies on a local
disk, and the file is copied there when it is first opened for writing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from qtasks.exc import ConfigError

__all__ = ["file_system", "file_system_of", "refuse_network"]

_MOUNTS: Final = Path("/proc/mounts")

_NETWORK: Final = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs",
        "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb", "smb2", "smb3",
        "smbfs",
    }
)  # fmt: skip


def file_system_of(path: str, mounts: str) -> str:
    """Returns the type of the file system that holds ``path``, or "" if no mount does.

    Args:
        path: an absolute path without symbolic links.
        mounts: the text of ``/proc/mounts``.
    """
    best, found = -1, ""
    for line in mounts.splitlines():
        _, written, kind, *_ = (*line.split(" "), "", "", "")
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), written)
        inside = (kind and path == point) or path.startswith(point.rstrip("/") + "/")
        # Of two mounts on one point the later one is on top.
        if inside and len(point) >= best:
            best, found = len(point), kind
    return found


def file_system(path: str) -> str | None:
    """Returns the type of the file system that holds ``path``; None where mounts are not told."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    return file_system_of(path, mounts)


def refuse_network(path: str) -> None:
    """Refuses a path on a network file system; where mounts cannot be read it accepts all.

    Raises:
        ConfigError: the file system cannot be shared safely.
    """
    kind = file_system(path)
    if kind is None:
        return
    if kind in _NETWORK or kind.startswith("fuse."):
        msg = (
            f"{path} is on the network file system {kind!r}, whose locks and shared memory SQLite"
            " cannot trust: put the database on a local disk, or use redis:// to share a queue"
        )
        raise ConfigError(msg)
