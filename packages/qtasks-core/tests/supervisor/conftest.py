"""A supervisor as people start it, on the embedded queue, and what it and its children say."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qtasks import QueueTasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds after which something that should have happened is called a failure.
PATIENCE = 60.0

APP = Path(__file__).with_name("crew_app.py")


class Crew:
    """Processes started by one command, and a producer beside them.

    Attributes:
        queue: the producer's app.
        lines: what was written to standard error.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes = folder / "notes"
        self.notes.touch()
        self.module = folder / "crew_app.py"
        self.module.write_text(APP.read_text("utf-8"), "utf-8")
        self.queue = QueueTasks(broker_url=f"sqlite:///{folder / 'qtasks.db'}")
        self.env = {**os.environ, "COLUMNS": "200", "PYTHONWARNINGS": "error"}
        self.env["CREW_NOTES"] = str(self.notes)
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def start(self, *options: str, app: str = "crew_app") -> subprocess.Popen[str]:
        """Starts ``qtasks -A APP run ...`` in a session of its own."""
        return self.execute("-m", "qtasks", "-A", app, "run", *options)

    def execute(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts Python with these arguments in a session of its own."""
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,))
        self._reader.start()
        return self.process

    def _read(self, stream: Any) -> None:
        with stream:
            for line in stream:
                self.lines.append(line.rstrip("\n"))

    @property
    def said(self) -> str:
        """All that was written to standard error."""
        return "\n".join(self.lines)

    def end(self) -> int:
        """Waits for the end of what was started; returns its exit code."""
        assert self.process is not None
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def document(self) -> Any:
        """Waits for the end, which must be a good one; returns the document it printed."""
        assert self.process is not None
        assert self.process.stdout is not None
        text = self.process.stdout.read()
        assert self.end() == 0, self.said
        return json.loads(text)

    def noted(self, word: str) -> list[int]:
        """Returns the process ids that noted a word, in order."""
        noted = [line.split() for line in self.notes.read_text("utf-8").splitlines()]
        return [int(pid) for found, pid in noted if found == word]

    def let_go(self) -> None:
        """Has the tasks called ``hold`` end."""
        self.notes.with_name(f"{self.notes.name}.let-go").touch()

    def until(self, condition: Callable[[], object]) -> None:
        """Waits for something that the processes bring about."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self.said
            time.sleep(0.005)

    def until_said(self, text: str, times: int = 1) -> None:
        """Waits until a text was written so many times."""
        self.until(lambda: self.said.count(text) >= times)

    def until_noted(self, word: str, times: int = 1) -> list[int]:
        """Waits until tasks have noted a word so many times; returns their process ids."""
        self.until(lambda: len(self.noted(word)) >= times)
        return self.noted(word)

    def until_gone(self, pids: list[int]) -> None:
        """Waits until processes are there no more."""
        self.until(lambda: not any(map(lives, pids)))

    def workers(self) -> list[int]:
        """Returns the process ids of the workers that reported themselves to the broker."""
        return [presence.pid for presence in self.queue.workers()]

    def close(self) -> None:
        """Ends everything."""
        if self.process is not None:
            pids = self.noted("S") + self.workers()
            for pid in {*pids, self.process.pid}:
                if pid != os.getpid() and lives(pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            self.end()
            assert self.process.stdout is not None
            self.process.stdout.close()
        self.queue.close()


def lives(pid: int) -> bool:
    """Whether a process runs; one that nobody has taken notice of does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:  # it went in this moment, or the system has no such files
        return not Path("/proc/self/stat").exists()
    return state not in {"Z", "X"}


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    made = Crew(tmp_path)
    yield made
    made.close()
