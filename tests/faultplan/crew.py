"""The workers of a run: started, hurt and watched."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from faultplan.ledger import Fault, Note

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultplan.system import Place, System, WorkerSettings

__all__ = ["Crew", "ImpatienceError", "Worker", "appears", "children_of", "until"]

#: Seconds after which something that should have happened is called a failure.
PATIENCE: Final = 120.0

Worker = subprocess.Popen


class ImpatienceError(AssertionError):
    """Something did not happen in time."""


def until(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> float:
    """Waits for something that other processes bring about; returns the seconds it took.

    Raises:
        ImpatienceError: it did not come.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > patience:
            msg = f"waited {patience:g} s in vain: {what}"
            raise ImpatienceError(msg)
        time.sleep(0.01)
    return time.monotonic() - began


def appears(condition: Callable[[], object], seconds: float) -> bool:
    """Waits for something that may well not come; returns whether it did."""
    try:
        until(condition, "", seconds)
    except ImpatienceError:
        return False
    return True


def children_of(pid: int) -> set[int]:
    """Returns the processes that descend from one, as the system lists them."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, path.read_text().split()):
                found |= {child} | children_of(child)
    return found


class Crew:
    """Worker processes, each in a process group of its own.

    Args:
        system: the queue.
        place: where the run takes place.
        settings: how the workers are to be.

    Attributes:
        workers: those that were started and not yet ended here.
        faults: what was done to them.
    """

    def __init__(self, system: System, place: Place, settings: WorkerSettings) -> None:
        self._system = system
        self._place = place
        self._settings = settings
        self._output = (place.folder / "workers.out").open("ab")
        self._notes: list[Note] = []
        self._seen = 0  # bytes of the file that were read
        self.workers: list[Worker[bytes]] = []
        self.faults: list[Fault] = []

    def start(self, count: int = 1) -> Worker[bytes]:
        """Starts workers and returns the last of them."""
        command, environment = self._system.worker(self._place, self._settings)
        for _ in range(count):
            worker = subprocess.Popen(
                command,
                env=os.environ | environment,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
            )
            self.workers.append(worker)
        return self.workers[-1]

    def kill(self, worker: Worker[bytes]) -> None:
        """Kills one process, and nothing that it has started."""
        self._fault("kill", {worker.pid})
        worker.kill()
        self._bury(worker)

    def kill_all_of(self, worker: Worker[bytes]) -> set[int]:
        """Kills a worker with all its descendants at once, as when a machine loses its power."""
        pids = {worker.pid} | children_of(worker.pid)
        self._fault("kill", pids)
        _send(signal.SIGKILL, pids)
        self._bury(worker)
        return pids

    def kill_child(self, worker: Worker[bytes], pid: int) -> None:
        """Kills a child of a worker."""
        self._fault("kill", {pid})
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        assert worker in self.workers

    def pause(self, worker: Worker[bytes]) -> None:
        """Halts a process."""
        self._fault("pause", {worker.pid})
        worker.send_signal(signal.SIGSTOP)

    def resume(self, worker: Worker[bytes]) -> None:
        """Lets it go on."""
        worker.send_signal(signal.SIGCONT)

    def pause_all_of(self, worker: Worker[bytes]) -> set[int]:
        """Halts a worker with all its descendants, as when a machine stands still."""
        pids = {worker.pid} | children_of(worker.pid)
        self._fault("pause", pids)
        _send(signal.SIGSTOP, pids)
        return pids

    def resume_all_of(self, pids: set[int]) -> None:
        """Lets them go on."""
        _send(signal.SIGCONT, pids)

    def end(self, worker: Worker[bytes], *signals: signal.Signals) -> tuple[int, float]:
        """Sends signals, by default SIGTERM, waits, and returns exit code and seconds."""
        began = time.monotonic()
        for number in signals or (signal.SIGTERM,):
            worker.send_signal(number)
        code = worker.wait(PATIENCE)
        self.workers.remove(worker)
        return code, time.monotonic() - began

    def notes(self) -> list[Note]:
        """Returns what tasks have noted so far; only what is new is read."""
        if self._place.notes.exists():
            with self._place.notes.open("rb") as file:
                file.seek(self._seen)
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._seen += len(whole)
            self._notes += [Note.of(line) for line in whole.decode().splitlines()]
        return self._notes

    def noted(self, word: str, pid: int | None = None) -> list[Note]:
        """Returns the notes of one word, of one process or of all."""
        return [n for n in self.notes() if n.word == word and pid in {None, n.pid}]

    def busy(self, pid: int) -> bool:
        """Whether a process is inside a task."""
        notes = [note for note in self.notes() if note.pid == pid]
        words = [note.word for note in notes]
        return words.count("S") > words.count("E")

    def close(self) -> None:
        """Kills what is left."""
        for worker in list(self.workers):
            self.kill_all_of(worker)
        self._output.close()

    def _fault(self, kind: str, pids: set[int]) -> None:
        self.faults.append(Fault(kind, time.monotonic(), frozenset(pids)))

    def _bury(self, worker: Worker[bytes]) -> None:
        worker.wait(PATIENCE)
        self.workers.remove(worker)


def _send(number: signal.Signals, pids: set[int]) -> None:
    """Sends a signal to each process that there still is."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
