"""Which Pythons run here, the newest first."""

from __future__ import annotations

import subprocess

#: Names under which a Python may be on the path; the oldest is the oldest that QTasks supports.
NAMES = ("python3.14", "python3.13", "python3.12", "python3.11")


def find_interpreters() -> list[str]:
    """Returns the commands that start a Python, each of them tried.

    The shims of version managers are on the path even where no such Python is selected.
    """
    return [name for name in NAMES if _runs(name)]


def _runs(name: str) -> bool:
    try:
        done = subprocess.run([name, "--version"], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
