"""The worker processes of one run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Self

HERE = Path(__file__).resolve().parent
#: How a person asks about the queue.
COMMAND = [sys.executable, "-m", "qtasks", "-A", "inventory:app"]
#: Seconds that workers get to give back what they hold.
PATIENCE = 40


class WorkersDiedError(Exception):
    """No worker is left; the message says where to look."""


class Crew:
    """Starts workers on entry and stops them on exit, whatever happened in between.

    They inherit the environment, and with it QTASKS_BROKER_URL. Each holds one end of a pipe, of
    which this process holds the other: should it be killed, they see the pipe close and stop.
    """

    def __init__(self, size: int, logs: Path) -> None:
        self._size = size
        self._logs = logs
        self._workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            for number in range(1, self._size + 1):
                self._start(self._logs / f"worker-{number}.log")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def check(self) -> None:
        """Raises WorkersDiedError if there is nobody left to wait for."""
        if self._workers and all(worker.poll() is not None for worker in self._workers):
            log = self._logs / "worker-1.log"
            msg = f"all workers have ended; the last lines of {log}:\n{log.read_text()[-2000:]}"
            raise WorkersDiedError(msg)

    def _start(self, path: Path) -> None:
        with path.open("wb") as log:
            worker = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, HERE / "worker.py"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        self._workers.append(worker)

    def _stop(self) -> None:
        for worker in self._workers:
            worker.terminate()
        try:
            for worker in self._workers:
                worker.wait(PATIENCE)
        finally:
            for worker in self._workers:
                worker.kill()
                worker.communicate()  # waits, and closes the pipe
