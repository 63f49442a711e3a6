"""What the tasks of a worker note down: which of them ran, and when.

It costs a task the time to append to a list.
The clock is the system's monotonic one, which all processes of the machine share.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

URL = os.environ.get("BENCH_URL", "")
_PATH = Path(os.environ.get("BENCH_LEDGER", os.devnull))
_EXPECTED = int(os.environ.get("BENCH_EXPECTED", "0"))

_runs: list[tuple[int, int]] = []


def note(number: int) -> None:
    """Notes that a task runs, and writes the file once all have run.

    A task that runs twice makes the file be written again, with one line too many.
    """
    _runs.append((number, time.monotonic_ns()))
    if len(_runs) >= _EXPECTED:
        new = _PATH.with_suffix(".new")
        new.write_text(json.dumps(_runs))
        new.replace(_PATH)
