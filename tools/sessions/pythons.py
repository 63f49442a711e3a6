"""Which of the supported Pythons run here."""

from __future__ import annotations

import re
import subprocess
import sys

from sessions.tree import SUPPORTED

__all__ = ["FOUND", "MAIN", "NEWEST", "NOT_FOUND", "OLDEST"]

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


def python_release(*command: str) -> str | None:
    """Returns the release that ``command`` runs, or None if it cannot run.

    The command is really run, because the shims of version managers exist on
    the path even where no such Python is selected.
    """
    try:
        done = subprocess.run(
            [*command, "--version"], capture_output=True, check=True, text=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.match(r"Python (\S+)", done.stdout)
    return match[1] if match else None


def find_pythons() -> dict[str, str]:
    """Returns the supported Pythons that run here: minor version to release."""
    found = {}
    for version in SUPPORTED:
        release = python_release(f"python{version}")
        if release is None and sys.platform == "win32":
            release = python_release("py", f"-{version}")
        if release is None and version == RUNNING:
            release = ".".join(map(str, sys.version_info[:3]))
        if release is not None:
            found[version] = release
    return found


FOUND = find_pythons()
NOT_FOUND = [version for version in SUPPORTED if version not in FOUND]

print(
    f"Pythons found: {', '.join(FOUND.values()) or 'none'};"
    f" not found: {', '.join(NOT_FOUND) or 'none'}",
    file=sys.stderr,
    flush=True,
)
if not FOUND:
    sys.exit(f"QTasks needs one of these Pythons on the path: {', '.join(SUPPORTED)}")

OLDEST, *_, NEWEST = [*FOUND, *FOUND]
#: Runs the sessions for which one Python is enough: the one that runs nox, if it is supported.
MAIN = RUNNING if RUNNING in FOUND else NEWEST
