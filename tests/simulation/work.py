"""What the tasks of a simulation do, and the app that they belong to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qtasks._runtime.current import current_delivery
from qtasks.asyncio import QueueTasks
from qtasks.configs import QueueConfig
from qtasks.exc import Discard, Reject, RetryLater, Snooze, TaskCancelError
from simulation.oracle import TTL
from simulation.trace import Violation
from simulation.virtual import PROCESS

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks.adapters.memory import MemoryBroker
    from simulation.runs import Runs
    from simulation.scenario import Scenario, Step
    from simulation.trace import Trace
    from simulation.virtual import Process

__all__ = ["Work", "make_app"]


class Work:
    """Does what the jobs of a scenario say.

    Args:
        scenario: what they say.
        runs: is told of each run.
        trace: likewise.
        failed: takes an invariant that does not hold.
    """

    def __init__(
        self, scenario: Scenario, runs: Runs, trace: Trace, failed: Callable[[Violation], None]
    ) -> None:
        self._jobs = {job.id: job for job in scenario.jobs}
        self._runs = runs
        self._trace = trace
        self._failed = failed

    async def run(self) -> int:
        """Is the body of every task; returns the token of the run."""
        delivery, process = current_delivery.get(), PROCESS.get()
        assert delivery is not None, "it runs in a worker"
        assert process is not None, "workers are processes"
        step = self._jobs[delivery.id].step(delivery.attempts + delivery.snoozes)
        complete = False
        try:
            self._runs.start(process, delivery)
            self._trace.add(process.name, "runs %s#%d: %s", delivery.id, delivery.token, step.end)
            if step.seconds:
                await asyncio.sleep(step.seconds)
            complete = True
            if step.end in ("hang", "crash"):
                await self._stay(process, step)
            end(step)
        except Violation as error:
            self._failed(error)
        finally:
            self._runs.end(process, delivery, complete=complete)
        return delivery.token

    async def _stay(self, process: Process, step: Step) -> None:
        """Does not come to an end by itself."""
        if step.end == "crash":
            process.kill()
            self._trace.add(process.name, "is killed by its task")
        await asyncio.Event().wait()


def end(step: Step) -> None:
    """Ends a run, if not by returning."""
    match step.end:
        case "retry":
            raise RetryLater(step.delay)
        case "snooze":
            raise Snooze(step.delay)
        case "reject":
            raise Reject
        case "discard":
            raise Discard
        case "cancel":
            raise TaskCancelError
        case "fail":
            raise ValueError


def make_app(scenario: Scenario, broker: MemoryBroker, work: Work) -> QueueTasks:
    """Makes the app whose workers work in a simulation, each over a connection of its own."""
    config = QueueConfig(
        storage_url=None,
        max_tasks_process=scenario.slots,
        prefetch=scenario.prefetch,
        lease=scenario.lease,
        commit_interval=scenario.commit_interval,
        shutdown_timeout=scenario.lease,
        result_ttl=TTL,
        dead_ttl=TTL,
        uvloop=False,
    )
    app = QueueTasks("simulated", broker=broker, config=config, plugins=())
    app.task(name="work")(work.run)
    return app
