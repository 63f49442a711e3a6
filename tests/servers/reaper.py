"""Ends servers whose test process has died, however it died.

A child reads from a pipe that only the test process can write to.
When the pipe ends, so do the servers that were written into it and not taken back.
"""

from __future__ import annotations

import functools
import subprocess
import sys

WATCH = """
import os, shutil, signal, sys

signal.signal(signal.SIGINT, signal.SIG_IGN)
servers = {}
for line in sys.stdin:
    word, pid, folder = line.rstrip("\\n").split(" ", 2)
    if word == "watch":
        servers[int(pid)] = folder
    else:
        servers.pop(int(pid), None)
for pid in servers:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
for folder in servers.values():
    shutil.rmtree(folder, ignore_errors=True)
"""


class Reaper:
    """The child that watches over servers."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", WATCH],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def watch(self, pid: int, folder: str) -> None:
        """Ends the server and removes its folder when this process dies."""
        self._write(f"watch {pid} {folder}")

    def forget(self, pid: int, folder: str) -> None:
        """Leaves a server alone that has ended."""
        self._write(f"forget {pid} {folder}")

    def close(self) -> None:
        """Ends the child, and with it every server that it still watches."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(60)

    def _write(self, line: str) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(f"{line}\n")
        self._child.stdin.flush()


@functools.cache
def reaper() -> Reaper:
    """Returns the reaper of this process."""
    return Reaper()
