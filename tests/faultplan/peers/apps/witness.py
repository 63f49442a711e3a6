"""The task that peers run, and what it notes.

Files here run in the Python of a peer, which knows nothing of ours, so the module with the form of
notes is loaded by its path: its package would want more.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import time
from pathlib import Path
from typing import Any

#: The broker.
URL = os.environ["FAULT_BROKER"]
#: Seconds after which the tasks of a silent worker go to others.
LEASE = float(os.environ["FAULT_LEASE"])
#: Tasks that run at once in a worker.
SLOTS = int(os.environ["FAULT_SLOTS"])
#: Seconds that a task may take; shorter than the lease, where a queue knows no other lease.
LIMIT = round(LEASE) - 1
#: How often a task is tried; every death of a worker counts as one try.
TRIES = 10
#: Seconds that results are kept.
KEPT = 3600


def _load_bodies() -> Any:
    path = Path(__file__).parents[2] / "bodies.py"
    spec = importlib.util.spec_from_file_location("faultplan_bodies", path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


_bodies = _load_bodies()


def begin(number: int) -> Any:
    """Notes the start of a run; it is numbered by its time, because peers have no tokens."""
    run = _bodies.Run(os.environ["FAULT_NOTES"], number, time.monotonic_ns())
    run.note("S")
    return run


def work_in_thread(number: int, seconds: float) -> Any:
    """Works for so long, and returns what the queue is to record."""
    run = begin(number)
    time.sleep(seconds)
    return run.result()


async def work_in_loop(number: int, seconds: float) -> Any:
    """Does the same in a loop."""
    run = begin(number)
    await asyncio.sleep(seconds)
    return run.result()
