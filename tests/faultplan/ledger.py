"""What was acknowledged, what ran, and what was broken when: the evidence of a run."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from faultplan.system import Job

__all__ = ["Acknowledged", "Fault", "Ledger", "Note"]


@dataclass(frozen=True)
class Note:
    """A line that a task wrote; see `faultplan.bodies`."""

    word: str
    number: str  # of the task; for F and L its id
    pid: int
    token: int
    delivery: int
    at: float  # seconds on the machine's monotonic clock

    @classmethod
    def of(cls, line: str) -> Note:
        """Reads a line."""
        word, number, pid, token, delivery, at = line.split()
        return cls(word, number, int(pid), int(token), int(delivery), float(at))


@dataclass(frozen=True)
class Fault:
    """Something that was broken.

    Attributes:
        kind: ``kill``, ``pause``, ``server``, …
        at: seconds on the machine's monotonic clock.
        pids: the processes it hit.
    """

    kind: str
    at: float
    pids: frozenset[int] = frozenset()


class Acknowledged:
    """The file in which a producer notes what the queue has acknowledged, synced line by line.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, jobs: Sequence[Job], ids: Sequence[str]) -> None:
        """Notes numbers and ids; they are on the disk when this returns."""
        pairs = zip(jobs, ids, strict=True)
        now = time.monotonic()
        lines = "".join(f"{job.number} {task_id} {now:.6f}\n" for job, task_id in pairs)
        os.write(self._descriptor, lines.encode())
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)


@dataclass
class Ledger:
    """The evidence of one run.

    Attributes:
        ids: the id of every acknowledged task, by its number.
        acknowledged_at: when each was, by number.
        notes: what tasks noted, in the order of the file.
        faults: what was broken.
    """

    ids: dict[int, str] = field(default_factory=dict)
    acknowledged_at: dict[int, float] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @classmethod
    def read(cls, acknowledged: Sequence[Path], notes: Path, faults: Sequence[Fault]) -> Ledger:
        """Reads the files; a last line that a kill has cut short was not acknowledged."""
        ledger = cls(faults=list(faults))
        for path in acknowledged:
            for line in _whole_lines(path):
                number, task_id, at = line.split()
                ledger.ids[int(number)] = task_id
                ledger.acknowledged_at[int(number)] = float(at)
        ledger.notes = [Note.of(line) for line in _whole_lines(notes)]
        return ledger


def _whole_lines(path: Path) -> list[str]:
    """Returns the lines of a file that were written to their end."""
    if not path.exists():
        return []
    text = path.read_text()
    return text[: text.rfind("\n") + 1].splitlines()
