"""A worker that dies between two attempts, or in the middle of one: each counts once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qtasks import QueueTasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

APP = Path(__file__).with_name("kill_app.py")
PATIENCE = 60.0  # seconds

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signal is that of Unix")


def until(condition: Callable[[], bool]) -> None:
    """Waits for something that a worker brings about."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the worker did not get there"
        time.sleep(0.01)


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts workers, and ends what is left of them."""
    started: list[subprocess.Popen[bytes]] = []
    environment = {
        **os.environ,
        "KILL_BROKER": f"sqlite:///{tmp_path / 'q.db'}",
        "KILL_NOTES": str(tmp_path / "notes"),
    }

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, str(APP)], env=environment))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()
        worker.wait(PATIENCE)


def test_a_killed_run_is_no_attempt_and_settled_ones_stay_counted(
    spawn: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    app = QueueTasks(broker_url=f"sqlite:///{tmp_path / 'q.db'}", plugins=[])
    handle = app.add_task("work")
    worker = spawn()
    until(lambda: "waits" in notes.read_text())

    worker.kill()
    worker.wait(PATIENCE)
    (tmp_path / "notes.killed").touch()
    spawn()
    handle.wait(PATIENCE)

    assert (handle.status, handle.reason) == ("error", "exhausted")
    assert (handle.record.attempts, handle.record.deliveries) == (3, 4)
    runs = [line for line in notes.read_text().splitlines() if line != "waits"]
    assert runs == ["attempt 1", "attempt 2", "attempt 2", "attempt 3"]
    app.close()
