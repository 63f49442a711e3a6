"""The virtual environment of a peer, and the commands that run in it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peers.catalogue import Peer

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".nox" / ".cache" / "peers"

#: Seconds that one phase of a measurement may take.
PATIENCE = 600

#: Processors: the server has the first, and everything else the last.
SERVER_CPU, *_, PEER_CPU = [*sorted(os.sched_getaffinity(0)), *sorted(os.sched_getaffinity(0))]


class Environment:
    """Where a peer is installed.

    Args:
        peer: the peer.
        python: the interpreter to make the environment with.
    """

    def __init__(self, peer: Peer, python: str) -> None:
        self.peer = peer
        self._python = python
        self._folder = ENVIRONMENTS / peer.name

    def prepare(self) -> None:
        """Installs the peer, unless that has been done."""
        stamp = self._folder / "installed.txt"
        wanted = "\n".join([self._python, *self.peer.requirements])
        if stamp.exists() and stamp.read_text() == wanted:
            return
        print(f"installing {self.peer.name} ...", file=sys.stderr)
        try:
            subprocess.run([self._python, "-m", "venv", "--clear", self._folder], check=True)
            pip = [self._command("python"), "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, *self.peer.requirements], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            msg = f"cannot install {self.peer.name} with {self._python}: {error}; see --python"
            raise SystemExit(msg) from error
        stamp.write_text(wanted)

    def produce(
        self, url: str, mode: str, tasks: int = 0, ids: list[str] | None = None
    ) -> dict[str, Any]:
        """Runs one phase of the producer and returns what it printed."""
        command = [self._command("python"), "produce.py", self.peer.name, mode]
        with pinned(PEER_CPU):
            done = subprocess.run(
                [*command, f"--tasks={tasks}"],
                cwd=HERE,
                env=self._variables(url),
                input=json.dumps(ids).encode(),
                stdout=subprocess.PIPE,
                check=True,
                timeout=PATIENCE,
            )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    @contextlib.contextmanager
    def worker(
        self, url: str, ledger: Path, expected: int, log: Path
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Runs one worker, and ends it with all its children."""
        name, *arguments = self.peer.worker
        variables = self._variables(url)
        variables |= {"BENCH_LEDGER": str(ledger), "BENCH_EXPECTED": str(expected)}
        with pinned(PEER_CPU), log.open("wb") as output:
            worker = subprocess.Popen(
                [self._command(name), *arguments],
                cwd=HERE,
                env=variables,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield worker
        finally:
            worker.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()

    def _command(self, name: str) -> str:
        return str(self._folder / "bin" / name)

    def _variables(self, url: str) -> dict[str, str]:
        return {**os.environ, "BENCH_URL": url, "PYTHONPATH": str(HERE)}


@contextlib.contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Starts processes on one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
