"""A function that never ends, for a pool process to be killed in the tests."""

from __future__ import annotations

import os
import time
from pathlib import Path


def forever(place: str) -> None:
    """Says which process it runs in, and never returns."""
    Path(place).write_text(str(os.getpid()), encoding="utf-8")
    while True:
        time.sleep(0.01)
