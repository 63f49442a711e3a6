"""The memory and processor time of a process and of all that it has started, as Linux counts it."""

from __future__ import annotations

import os
import re
from pathlib import Path

PROC = Path("/proc")


def memory_mb(pid: int) -> float:
    """Returns the memory of a process and its descendants in MB.

    What several processes share is divided among them (PSS).
    """
    return sum(map(_shared_out_kb, _tree(pid))) / 1024


def cpu_seconds(pid: int) -> float:
    """Returns the processor time of a process and its descendants, start-up included."""
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
