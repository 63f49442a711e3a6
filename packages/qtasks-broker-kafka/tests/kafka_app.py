"""An app for worker processes that tests kill: python kafka_app.py, set up by the environment.

Every run leaves a line in the file that RUNS names, so that the tests see what ran how often.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from qtasks import QueueTasks
from qtasks.configs import QueueConfig

app = QueueTasks(
    broker_url=os.environ["KAFKA"],
    storage_url=os.environ["STORAGE"],
    config=QueueConfig(lease=3.0, max_tasks_process=int(os.environ["SLOTS"])),
    plugins=[],
)

RUNS = Path(os.environ["RUNS"])


def note(line: str) -> None:
    """Appends a line in one step."""
    with RUNS.open("a") as file:
        file.write(f"{line}\n")


@app.task
def quick(number: int) -> int:
    time.sleep(0.002)
    note(f"quick {number}")
    return number


@app.task
def stuck(name: str, until: str) -> str:
    note(f"begin {name}")
    while not Path(until).exists():
        time.sleep(0.02)
    note(f"end {name}")
    return name


if __name__ == "__main__":
    logging.basicConfig(level="INFO")
    note(f"worker {os.getpid()}")
    app.run_forever()
