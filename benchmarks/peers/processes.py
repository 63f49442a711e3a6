"""The memory of a process and of all that it has started, as Linux counts it."""

from __future__ import annotations

import re
from pathlib import Path

PROC = Path("/proc")


def resident_mb(pid: int) -> float:
    """Returns the resident memory of a process and its descendants in MB.

    What several processes share counts for each of them.
    """
    total = _resident_kb(pid)
    pending = [pid]
    while pending:
        parent = pending.pop()
        for task in (PROC / str(parent) / "task").iterdir():
            children = [int(child) for child in (task / "children").read_text().split()]
            total += sum(map(_resident_kb, children))
            pending += children
    return total / 1024


def _resident_kb(pid: int) -> int:
    found = re.search(r"^VmRSS:\s+(\d+) kB", (PROC / str(pid) / "status").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
