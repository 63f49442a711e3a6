"""A fleet of worker processes to kill, and the oracle that counts what they did."""

from __future__ import annotations

import collections
import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qtasks import QueueTasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qtasks import TaskHandle

APP = Path(__file__).with_name("fault_app.py")

#: Seconds after which something that should have happened is called a failure.
PATIENCE = 60.0


class Fleet:
    """Worker processes on one broker, and a producer beside them.

    Args:
        url: the broker.
        folder: where the workers note what they do.
        lease: seconds of a lease.
        slots: tasks that a worker runs at once.
        processes: more than one makes each worker a supervisor with so many children.

    Attributes:
        app: the producer's app.
        workers: the living processes.
    """

    def __init__(
        self, url: str, folder: Path, *, lease: float = 1.0, slots: int = 4, processes: int = 1
    ) -> None:
        self.notes = folder / "notes"
        self.notes.touch()
        self._environment = {
            **os.environ,
            "FAULT_BROKER": url,
            "FAULT_NOTES": str(self.notes),
            "FAULT_LEASE": str(lease),
            "FAULT_SLOTS": str(slots),
            "FAULT_PROCESSES": str(processes),
        }
        self.app = QueueTasks(broker_url=url)
        self.workers: list[subprocess.Popen[bytes]] = []

    def spawn(self) -> subprocess.Popen[bytes]:
        """Starts one more worker, in a process group of its own."""
        worker = subprocess.Popen(
            [sys.executable, str(APP)], env=self._environment, start_new_session=True
        )
        self.workers.append(worker)
        return worker

    def end(self, worker: subprocess.Popen[bytes], number: signal.Signals) -> int:
        """Sends a signal to a worker and waits for its end."""
        worker.send_signal(number)
        self.workers.remove(worker)
        return worker.wait(PATIENCE)

    def kill(self, worker: subprocess.Popen[bytes], handles: list[TaskHandle[Any]]) -> None:
        """Kills a worker when it cannot be the third in a row that one of the tasks loses.

        The task would rightly be taken for the cause; a worker that is stopped claims nothing
        between the look and its end.
        """

        def may_die() -> bool:
            worker.send_signal(signal.SIGSTOP)
            if all(handle.refresh().finished or handle.record.lost < 2 for handle in handles):
                return True
            worker.send_signal(signal.SIGCONT)
            return False

        self.until(may_die)
        assert self.end(worker, signal.SIGKILL) == -signal.SIGKILL

    def kill_group(self, worker: subprocess.Popen[bytes]) -> None:
        """Kills a worker together with its children, as when a machine loses its power."""
        os.killpg(worker.pid, signal.SIGKILL)
        self.workers.remove(worker)
        worker.wait(PATIENCE)

    def noted(self, word: str) -> collections.Counter[int]:
        """Counts the notes of one word by task number."""
        lines = [line.split() for line in self.notes.read_text().splitlines()]
        return collections.Counter(int(line[1]) for line in lines if line[0] == word)

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits for something that the workers bring about."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "the workers did not get there"
            time.sleep(0.01)

    def over(self, worker: subprocess.Popen[bytes], handles: list[TaskHandle[object]]) -> bool:
        """Whether a worker has died or all tasks have ended."""
        return worker.poll() is not None or all(handle.refresh().finished for handle in handles)

    def pids(self) -> set[int]:
        """Returns the processes that have noted something."""
        return {int(line.split()[2]) for line in self.notes.read_text().splitlines()}

    def let_go(self) -> None:
        """Has the tasks called ``held`` end."""
        Path(f"{self.notes}.let-go").touch()

    def until_ended(self, tasks: int) -> None:
        """Waits until so many tasks have ended."""
        self.until(lambda: len(self.noted("E")) >= tasks)

    def busy(self, worker: subprocess.Popen[bytes]) -> bool:
        """Whether a worker has noted something."""
        return f" {worker.pid}\n" in self.notes.read_text()

    def close(self) -> None:
        """Ends what is left."""
        for worker in list(self.workers):
            self.kill_group(worker)
        self.app.close()


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The broker: a file, or an empty Valkey."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'faults.db'}"
    valkey: str = request.getfixturevalue("valkey")
    return valkey


@pytest.fixture
def open_fleet(tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    """Makes fleets on the broker of a URL, and ends them."""
    fleets: list[Fleet] = []

    def make(url: str, **settings: Any) -> Fleet:
        fleets.append(Fleet(url, tmp_path, **settings))
        return fleets[-1]

    yield make
    for fleet in fleets:
        fleet.close()


@pytest.fixture
def make_fleet(open_fleet: Callable[..., Fleet], url: str) -> Callable[..., Fleet]:
    """Makes fleets on each broker."""
    return functools.partial(open_fleet, url)
