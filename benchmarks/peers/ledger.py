"""What the tasks of a worker note down: which of them ran, and when.

The notes lie in a file that is mapped into memory, so a task pays a fraction of a microsecond for
one, and the harness sees them while the worker runs and after it has died.
The clock is the system's monotonic one, which all processes of the machine share.
"""

from __future__ import annotations

import itertools
import mmap
import os
import struct
import time
from pathlib import Path

#: Where the queue lives.
URL = os.environ.get("BENCH_URL", "")
#: Tasks that a worker runs at once.
SLOTS = int(os.environ.get("BENCH_SLOTS", "32"))
#: One note: the number of the task plus one, and the time in ns; an unwritten one is all zeros.
NOTE = struct.Struct("=qq")


def _opened() -> mmap.mmap | None:
    path = os.environ.get("BENCH_LEDGER")
    if not path:
        return None  # who adds tasks runs none
    with Path(path).open("r+b") as file:
        return mmap.mmap(file.fileno(), 0)


_notes = _opened()
_room = len(_notes) if _notes is not None else 0
_count = itertools.count()


def note(number: int) -> None:
    """Notes that a task runs; what does not fit any more is left out."""
    at = next(_count) * NOTE.size
    if _notes is not None and at < _room:
        NOTE.pack_into(_notes, at, number + 1, time.monotonic_ns())
