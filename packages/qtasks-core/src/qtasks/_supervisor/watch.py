"""Notices when Python files of an app change, by looking at them now and then."""

from __future__ import annotations

import asyncio
import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator

__all__ = ["app_directories", "changed_files", "snapshot"]

#: Seconds between two looks.
_INTERVAL: Final = 0.5
#: Directories in which nobody writes an app.
_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})

#: When each file was written, and how long it is.
Snapshot = dict[str, tuple[int, int]]


def app_directories() -> list[str]:
    """Lists where the code of the app may be: here, and where imported modules come from.

    What is installed does not count.
    """
    here = str(Path.cwd())
    installed = [*map(str, set(sysconfig.get_paths().values())), sys.prefix, sys.base_prefix]
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    found = {str(Path(file).resolve().parent) for file in files if file}
    elsewhere = {place for place in found if not _is_in(place, [here, *installed])}
    return [here, *sorted(elsewhere)]


def snapshot(directories: Iterable[str]) -> Snapshot:
    """Looks at all Python files in some directories and below them.

    Hidden directories, virtual environments and installed packages are left out.
    """
    seen: Snapshot = {}
    for directory in directories:
        for entry in _python_files(directory):
            try:
                status = entry.stat()
            except OSError:  # removed in this moment
                continue
            seen[entry.path] = (status.st_mtime_ns, status.st_size)
    return seen


async def changed_files(
    directories: Iterable[str], interval: float = _INTERVAL
) -> AsyncGenerator[str, None]:
    """Yields the path of a file each time some were added, changed or removed.

    Args:
        directories: where to look.
        interval: seconds between two looks.
    """
    places = list(directories)
    before = await asyncio.to_thread(snapshot, places)
    while True:
        await asyncio.sleep(interval)
        now = await asyncio.to_thread(snapshot, places)
        if now != before:
            yield min(path for path, _ in now.items() ^ before.items())
            before = now


def _python_files(directory: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            listed = list(entries)
    except OSError:  # removed in this moment, or not ours to read
        return
    if any(entry.name == "pyvenv.cfg" for entry in listed):
        return
    for entry in listed:
        if entry.name.startswith(".") or entry.name in _SKIPPED:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _python_files(entry.path)
        elif entry.name.endswith(".py"):
            yield entry


def _is_in(place: str, directories: Iterable[str]) -> bool:
    return any(place == it or place.startswith(it.rstrip(os.sep) + os.sep) for it in directories)
