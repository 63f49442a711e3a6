"""The app of a worker to which somebody sends bytes of his own; its tasks take anything."""

from __future__ import annotations

import os
import sys

from faultplan.bodies import Run
from qtasks import QueueTasks
from qtasks.configs import QueueConfig

app = QueueTasks(
    broker_url=os.environ["FAULT_BROKER"],
    config=QueueConfig(
        lease=float(os.environ["FAULT_LEASE"]),
        max_tasks_process=int(os.environ["FAULT_SLOTS"]),
        unknown_task_grace=0.0,
    ),
)


@app.task
async def anything(*_args: object, **_options: object) -> None:
    """Is content with whatever can be read at all."""


@app.task
async def good(number: int) -> list[int]:
    run = Run(os.environ["FAULT_NOTES"], number)
    run.note("S")
    return run.result()


if __name__ == "__main__":
    sys.modules["hostile_app"] = sys.modules["__main__"]
    app.run_forever()
