"""The app under fault: its tasks note their starts and ends in a file that survives any kill."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from qtasks import QueueTasks
from qtasks.configs import QueueConfig

NOTES = os.environ["FAULT_NOTES"]

app = QueueTasks(
    broker_url=os.environ["FAULT_BROKER"],
    config=QueueConfig(
        lease=float(os.environ.get("FAULT_LEASE", "1")),
        max_tasks_process=int(os.environ.get("FAULT_SLOTS", "4")),
        shutdown_timeout=5,
    ),
)


def note(word: str, number: int) -> None:
    """Writes one line in one system call, so that lines of several processes do not mix."""
    descriptor = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{word} {number} {os.getpid()}\n".encode())
    os.close(descriptor)


@app.task
def work(number: int, seconds: float = 0.002) -> int:
    note("S", number)
    time.sleep(seconds)
    note("E", number)
    return os.getpid()


@app.task
def held(number: int) -> int:
    """Runs until it is let go."""
    note("S", number)
    while not Path(f"{NOTES}.let-go").exists():
        time.sleep(0.01)
    note("E", number)
    return os.getpid()


@app.task
async def poison() -> None:
    note("P", 0)
    os._exit(9)


@app.task
async def good(number: int) -> int:
    note("E", number)
    return number


if __name__ == "__main__":
    sys.modules["fault_app"] = sys.modules["__main__"]
    app.run_forever(processes=int(os.environ.get("FAULT_PROCESSES", "1")))
