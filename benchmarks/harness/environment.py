"""The virtual environment of a queue."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.catalogue import Peer

HERE = Path(__file__).parents[1]
ENVIRONMENTS = HERE.parent / ".nox" / ".cache" / "peers"
#: Seconds that an installation may take.
PATIENCE = 600


class Environment:
    """Where a queue is installed.

    Args:
        peer: the queue.
        pythons: the interpreters to make the environment with; the first that it installs on.
    """

    def __init__(self, peer: Peer, pythons: Sequence[str]) -> None:
        self.peer = peer
        self._pythons = pythons
        # Two entries of the catalogue may be one package with other settings.
        self._folder = ENVIRONMENTS / peer.module
        self._stamp = self._folder / "installed.json"

    def prepare(self) -> None:
        """Installs the queue, unless that has been done.

        Raises:
            RuntimeError: it installs on no Python that is here; the message has the last reason.
        """
        if self._stamp.exists() and json.loads(self._stamp.read_text()) == self._wanted():
            return
        why = "no Python was found; see --python"
        for python in self._pythons:
            try:
                self._install(python)
            except (OSError, subprocess.SubprocessError) as error:
                said = getattr(error, "stderr", None) or str(error)
                why = f"it does not install with {python}: {said.strip()[-300:]}"
                continue
            self._stamp.write_text(json.dumps(self._wanted()))
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        raise RuntimeError(why)

    def command(self, name: str) -> str:
        """Returns the path of a program of this environment."""
        return str(self._folder / "bin" / name)

    def versions(self) -> Mapping[str, str]:
        """Returns the versions of Python and of everything that was asked for by name."""
        listed = self._run("python", "-m", "pip", "list", "--format=json")
        found = {one["name"].lower(): one["version"] for one in json.loads(listed)}
        names = [re.split(r"[\[=<>]", one)[0] for one in self.peer.requirements if one != "-e"]
        names = ["qtasks-core" if "/" in name else name for name in names]
        python = self._run("python", "-c", "import platform; print(platform.python_version())")
        known = {name: found[name.lower()] for name in names if name.lower() in found}
        return {"python": python.strip(), **known}

    def _wanted(self) -> list[object]:
        return [list(self._pythons), list(self.peer.requirements)]

    def _install(self, python: str) -> None:
        made = [python, "-m", "venv", "--clear", str(self._folder)]
        subprocess.run(made, check=True, capture_output=True, text=True, timeout=PATIENCE)
        self._run("python", "-m", "pip", "install", "--quiet", *self.peer.requirements)

    def _run(self, name: str, *arguments: str) -> str:
        done = subprocess.run(
            [self.command(name), *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        return done.stdout
