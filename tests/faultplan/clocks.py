"""Processes whose wall clock is wrong, and may jump while they run.

Python's functions for the time of day are replaced before anything else is imported, which takes
no other program and spares the clock that never goes backwards. (Under libfaketime 0.9.10
``time.sleep`` of Python 3.11 fails.)

    python clocks.py SCRIPT ARGUMENTS...    runs a script with the wrong time
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Clock"]

_FILE = "FAULT_CLOCK"


class Clock:
    """A wrong clock that several processes may share.

    Args:
        path: a file for it.
        ahead: seconds by which it is ahead.
    """

    def __init__(self, path: Path, ahead: float = 0.0) -> None:
        self._path = path
        self.set(ahead)

    def set(self, ahead: float) -> None:
        """Has it jump, for all who look at it."""
        other = self._path.with_suffix(".new")
        other.write_text(f"{ahead:+g}\n")
        other.replace(self._path)

    def worn_by(self, command: list[str]) -> tuple[list[str], dict[str, str]]:
        """Returns the command of a process under this clock, and what to add to its environment."""
        python, *rest = command
        return [python, __file__, *rest], {_FILE: str(self._path)}


def _shift(clock: str) -> None:
    """Replaces the functions that tell the time of day."""

    def ahead() -> float:
        with open(clock) as file:  # noqa: PTH123 - it is asked for the time often
            return float(file.read())

    def shifted(real: Callable[[], float]) -> Callable[[], float]:
        return lambda: real() + ahead()

    time.time = shifted(time.time)
    real_ns = time.time_ns
    time.time_ns = lambda: real_ns() + int(ahead() * 1e9)


if __name__ == "__main__":
    _shift(os.environ[_FILE])
    _, script, *rest = sys.argv
    sys.argv = [script, *rest]
    runpy.run_path(script, run_name="__main__")
