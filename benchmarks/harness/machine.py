"""On what the figures were taken."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

__all__ = ["describe_machine"]


def describe_machine() -> dict[str, str]:
    """Returns what a reader needs to know of this machine."""
    load, _, _ = os.getloadavg()
    return {
        "processors": f"{len(os.sched_getaffinity(0))} × {_model()}",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "load": f"{load:.2f} when the run began",
    }


def _model() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
