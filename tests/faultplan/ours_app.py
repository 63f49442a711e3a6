"""The app that a worker of QTasks runs in the plan; settings come from the environment."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from faultplan.bodies import POISONS, Run, write_note
from qtasks import QueueTasks
from qtasks._runtime.current import current_delivery
from qtasks.configs import QueueConfig
from qtasks.plugins import Plugin, on

if TYPE_CHECKING:
    from qtasks.schemas import Delivery

NOTES = os.environ["FAULT_NOTES"]

app = QueueTasks(
    broker_url=os.environ["FAULT_BROKER"],
    config=QueueConfig(
        lease=float(os.environ.get("FAULT_LEASE", "2")),
        max_tasks_process=int(os.environ.get("FAULT_SLOTS", "10")),
        shutdown_timeout=float(os.environ.get("FAULT_PATIENCE", "5")),
        worker_processes=int(os.environ.get("FAULT_PROCESSES", "1")),
        result_ttl=float(os.environ.get("FAULT_RESULT_TTL", "86400")),
    ),
)


class Witness(Plugin):
    """Notes what the broker refuses."""

    @on("worker_outcome")
    def refused(self, task_broker: Delivery, fenced: bool) -> None:
        if fenced:
            write_note(NOTES, "F", task_broker.id, token=task_broker.token)

    @on("worker_lease_lost")
    def lost(self, task_broker: Delivery) -> None:
        write_note(NOTES, "L", task_broker.id, token=task_broker.token)


app.add_plugin(Witness())


def begin(number: int) -> Run:
    """Notes the start of a run."""
    delivery = current_delivery.get()
    run = Run(NOTES, number)
    if delivery is not None:
        run = Run(NOTES, number, delivery.token, delivery.deliveries)
    run.note("S")
    return run


@app.task
def work(number: int, seconds: float = 0.002) -> Any:
    run = begin(number)
    time.sleep(seconds)
    return run.result()


@app.task
async def wait(number: int, seconds: float = 0.002, points: int = 1) -> Any:
    run = begin(number)
    try:
        for _ in range(points):
            run.note("A")
            await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        run.note("C")
        raise
    return run.result()


@app.task
async def block(number: int, seconds: float) -> Any:
    """Holds up the loop, as code does that should have been a plain function."""
    run = begin(number)
    time.sleep(seconds)  # noqa: ASYNC251 - this is the fault
    return run.result()


@app.task
async def nothing(number: int) -> int:
    return number


@app.task
def poison(number: int, kind: str) -> None:
    begin(number)
    POISONS[kind]()


@app.task(pool="process", max_time=2)
def isolated(number: int, kind: str) -> None:
    begin(number)
    POISONS[kind]()


if __name__ == "__main__":
    if "FAULT_LOG" in os.environ:
        logging.basicConfig(
            filename=os.environ["FAULT_LOG"],
            format="%(asctime)s %(process)d %(levelname)s %(message)s",
            level=logging.INFO,
        )
    sys.modules["ours_app"] = sys.modules["__main__"]
    app.run_forever()
