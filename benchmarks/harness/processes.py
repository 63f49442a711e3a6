"""The memory and processor time of a process and of all that it has started, as Linux counts it."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.places import Place

PROC = Path("/proc")
#: Seconds after the last task has begun, when its outcome is recorded and idling is yet cheap.
SETTLED = 0.05


class Used:
    """Processor time of a worker and its server, from now on.

    Args:
        pid: the worker's.
        place: the server's.

    Attributes:
        worker: seconds, when everything was done.
        server: seconds; None if there is no server.
    """

    def __init__(self, pid: int, place: Place) -> None:
        self.worker = 0.0
        self.server: float | None = None
        self._pid = pid
        self._place = place
        self._before = cpu_seconds(pid), place.cpu_seconds()

    def beside(self, said: Callable[[], int]) -> Callable[[], int]:
        """Returns a twin of ``said`` that reads the times once, a moment after its first call."""
        due = time.monotonic() + SETTLED
        read = False

        def twin() -> int:
            nonlocal read
            if not read and time.monotonic() >= due:
                read = True
                self._read()
            return said()

        return twin

    def _read(self) -> None:
        worker, server = self._before
        self.worker = cpu_seconds(self._pid) - worker
        now = self._place.cpu_seconds()
        self.server = None if server is None or now is None else now - server


def memory_mb(pid: int) -> float:
    """Returns the memory of a process and its descendants in MB.

    What several processes share is divided among them (PSS).
    """
    return sum(map(_shared_out_kb, _tree(pid))) / 1024


def cpu_seconds(pid: int) -> float:
    """Returns the processor time that a process and its descendants have used."""
    return sum(map(_ticks, _tree(pid))) / os.sysconf("SC_CLK_TCK")


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:  # grows as it is read
        for task in (PROC / str(parent) / "task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _ticks(pid: int) -> int:
    # The name may hold spaces; what follows it begins with the third field.
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _shared_out_kb(pid: int) -> int:
    found = re.search(
        r"^Pss:\s+(\d+) kB", (PROC / str(pid) / "smaps_rollup").read_text(), re.MULTILINE
    )
    return int(found[1]) if found else 0
