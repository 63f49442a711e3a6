"""Where runs are noted: a line for each, with the time."""

import os
import time
from pathlib import Path

_FILE = Path(os.environ["RUNS"]).open("a", buffering=1)  # noqa: SIM115 - open until the end
SLEEP = float(os.environ.get("SLEEP", "0"))
SLOTS = int(os.environ.get("SLOTS", "100"))
BOOTSTRAP = os.environ["BOOTSTRAP"]


def note(number: int) -> None:
    _FILE.write(f"{number} {time.time()}\n")
