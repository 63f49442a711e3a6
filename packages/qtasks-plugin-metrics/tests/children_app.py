"""The app whose workers are processes of their own."""

from __future__ import annotations

import os
import time

from qtasks import QueueTasks
from qtasks.configs import QueueConfig
from qtasks_plugin_metrics import MetricsPlugin

app = QueueTasks(
    broker_url=os.environ["CHILDREN_BROKER"],
    config=QueueConfig(lease=2.0),
    plugins=[MetricsPlugin(port=0)],
)


@app.task
def work() -> int:
    """Returns."""
    return 1


@app.task
def fail() -> None:
    """Fails."""
    raise LookupError


@app.task(pool="thread")
def hold(path: str) -> None:
    """Runs until a file is there."""
    while not os.path.exists(path):  # noqa: PTH110 - no import for one line
        time.sleep(0.01)


@app.task
def crash() -> None:
    """Takes its worker down."""
    os._exit(3)
