"""What runs in which process, and what must hold there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtasks.schemas import MAX_LOST
from simulation.scenario import HARMLESS
from simulation.trace import violate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.schemas import Delivery
    from qtasks.testing.conformance.model import ModelTask
    from simulation.scenario import Scenario
    from simulation.virtual import Process, VirtualLoop

__all__ = ["Runs"]

#: Seconds from the renewal of a lease to the next, apart from its third: calls take a while.
_SLACK: Final = 2.0


class Runs:
    """Keeps the runs of all processes.

    Args:
        loop: whose time counts.
        scenario: what happens.
        processes: the workers' processes by name, dead ones included.
    """

    def __init__(
        self, loop: VirtualLoop, scenario: Scenario, processes: Mapping[str, Process]
    ) -> None:
        self._loop = loop
        self._lease = scenario.lease
        self._processes = processes
        self._poison = frozenset(job.id for job in scenario.jobs if job.poison)
        self._one_poison = scenario.kinds <= HARMLESS and len(self._poison) <= 1
        self._handed: dict[tuple[str, int], str] = {}
        self._started: set[tuple[str, int]] = set()
        self._completed: set[tuple[str, int]] = set()
        self._running: dict[str, dict[tuple[str, int], Delivery]] = {}
        self._stale: set[tuple[str, int]] = set()

    def handed(self, delivery: Delivery, worker: str) -> None:
        """Notes that the broker has given a delivery to a worker, whether or not it arrives."""
        self._handed[delivery.id, delivery.token] = worker

    def lost(self, task: ModelTask, now: float) -> None:
        """Checks a lease that is taken back: nobody loses one for no reason."""
        if task.token is not None:
            self._stale.add((task.id, task.token))
        process = self._processes.get(task.worker)
        if process is None or not process.alive or process.frozen or process.troubles:
            return
        renewed = (task.lease_until or now) - self._lease - now + self._loop.time()
        if process.disturbed_at < renewed - 0.001:  # sums are not exact
            what = f"{task.worker} lost {task.id} although nothing had happened to it"
            violate("I9 the living keep their leases", what)

    def convicted(self, task_id: str) -> None:
        """Checks a conviction: where one task alone kills workers, it meets that task."""
        if self._one_poison and task_id not in self._poison:
            violate("I12 no innocent is convicted", f"{task_id} harmed nobody")

    def start(self, process: Process, delivery: Delivery) -> None:
        """Checks a run that begins."""
        key = (delivery.id, delivery.token)
        if self._handed.get(key) != process.name:
            what = f"{process.name} runs {key}, which {self._handed.get(key)} was given"
            violate("I2 one valid token", what)
        if key in self._started:
            violate("I2 one valid token", f"{process.name} runs {key} twice")
        self._started.add(key)
        if key in self._stale and not self._was_disturbed(process):
            what = f"{process.name} starts {key}, which was taken back long ago"
            violate("I2 one valid token", what)
        running = self._running.setdefault(process.name, {})
        others = [one for other, one in running.items() if other not in self._stale]
        if delivery.lost and any(one.lost for one in others):
            what = f"{process.name} runs {key} beside another suspect"
            violate("I12 suspects alone", what)
        if others and max(delivery.lost, *(one.lost for one in others)) >= MAX_LOST - 1:
            what = f"{process.name} runs {key} beside others on somebody's last chance"
            violate("I12 suspects alone", what)
        running[key] = delivery

    def end(self, process: Process, delivery: Delivery, *, complete: bool) -> None:
        """Notes a run that ended, perhaps because it was interrupted."""
        key = (delivery.id, delivery.token)
        self._running.get(process.name, {}).pop(key, None)
        if complete:
            self._completed.add(key)

    def started(self, task_id: str, token: int) -> bool:
        """Tells whether a delivery has come to be run."""
        return (task_id, token) in self._started

    def completed(self, task_id: str, token: int) -> bool:
        """Tells whether a run came to its end."""
        return (task_id, token) in self._completed

    def _was_disturbed(self, process: Process) -> bool:
        quiet = self._loop.time() - process.disturbed_at
        return bool(process.troubles) or quiet < self._lease + _SLACK
