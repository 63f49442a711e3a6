"""Where runs are noted: a line for each, with the time."""

import os
import time

_FILE = open(os.environ["RUNS"], "a", buffering=1)
SLEEP = float(os.environ.get("SLEEP", "0"))
SLOTS = int(os.environ.get("SLOTS", "100"))
BOOTSTRAP = os.environ["BOOTSTRAP"]


def note(number):
    _FILE.write(f"{number} {time.time()}\n")
