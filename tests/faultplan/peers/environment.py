"""The virtual environment of a peer, which is made when it is first needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from faultplan.peers.catalogue import Peer

__all__ = ["FOLDER", "UnavailableError", "find_python", "prepare"]

FOLDER: Final = Path(__file__).parents[3] / ".nox" / ".cache" / "fault-peers"
#: Seconds that one step of an installation may take.
_PATIENCE: Final = 600.0
#: The newest minor version that is looked for by its name.
_NEWEST: Final = 15


class UnavailableError(Exception):
    """A peer cannot be driven here; the message says why, and what would help."""


def prepare(peer: Peer, folder: Path = FOLDER) -> Path:
    """Installs a peer, unless that has been done, and returns where its commands are.

    Args:
        peer: the peer.
        folder: where environments are.

    Raises:
        UnavailableError: it cannot be installed.
    """
    python, place = find_python(peer), folder / peer.name
    stamp, wanted = place / "installed.txt", "\n".join([python, *peer.requirements])
    commands = place / "bin"
    if stamp.exists() and stamp.read_text() == wanted:
        return commands
    sys.stderr.write(f"  installing {peer.name} in {place}\n")
    _run(peer, python, "-m", "venv", "--clear", str(place))
    pip = (str(commands / "python"), "-m", "pip", "install", "--quiet")
    _run(peer, *pip, "--disable-pip-version-check", *peer.requirements)
    stamp.write_text(wanted)
    return commands


def find_python(peer: Peer) -> str:
    """Returns the path of a Python that is new enough: the one that runs, or one on the path.

    Raises:
        UnavailableError: there is none.
    """
    major, oldest = peer.python
    if sys.version_info >= peer.python:
        return sys.executable
    for minor in range(oldest, _NEWEST + 1):
        if (found := _path_of(f"python{major}.{minor}")) is not None:
            return found
    msg = (
        f"{peer.name} needs Python {major}.{oldest} or newer, and there is none on the path: put"
        f" one there (with pyenv, name it in PYENV_VERSION beside the one that runs this)"
    )
    raise UnavailableError(msg)


def _path_of(command: str) -> str | None:
    """Returns which file a command runs; the shims of version managers may run nothing."""
    try:
        done = subprocess.run(
            [command, "-c", "import sys; print(sys.executable)"],
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _run(peer: Peer, *command: str) -> None:
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        msg = f"{peer.name} cannot be installed: {error}"
        raise UnavailableError(msg) from error
    if done.returncode:
        told = done.stdout.strip().splitlines() or [f"exit code {done.returncode}"]
        msg = f"{peer.name} cannot be installed with `{' '.join(command)}`: {told[-1]}"
        raise UnavailableError(msg)
