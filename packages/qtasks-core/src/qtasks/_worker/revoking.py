"""What a worker loses of what it was handed: to others, or because its tasks were cancelled."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from qtasks._runtime.errors import printable
from qtasks.schemas import Cancel, Delivery, Extension

if TYPE_CHECKING:
    from qtasks._worker.pump import Pump
    from qtasks._worker.runner import Runner

__all__ = ["Revoking"]

log = logging.getLogger("qtasks.worker")


class Revoking:
    """Takes deliveries away from the pump, or from the runner if they run.

    Args:
        pump: has those that wait.
        runner: has those that run.
    """

    def __init__(self, pump: Pump, runner: Runner) -> None:
        self._pump = pump
        self._runner = runner

    def apply(self, tokens: dict[str, int], extension: Extension) -> None:
        """Takes away what a renewal of leases named.

        Args:
            tokens: of the deliveries that were to be renewed, by their tasks.
            extension: the answer.
        """
        for task_id in extension.lost:
            self.drop(task_id, tokens[task_id])
        for task_id, reason in extension.cancelled.items():
            token = tokens[task_id]
            if waiting := self._pump.withdraw(task_id, token, lost=False):
                self.cancel(waiting, reason)
            else:
                self._runner.interrupt(task_id, token, Cancel(reason))

    def cancel(self, delivery: Delivery, reason: str) -> None:
        """Settles a delivery that was withdrawn as cancelled."""
        self._pump.settle(self._runner.unrun(delivery, Cancel(reason)))

    def drop(self, task_id: str, token: int) -> None:
        """Drops a delivery that belongs to somebody else by now."""
        waiting = self._pump.withdraw(task_id, token, lost=True)
        if waiting is not None or self._runner.interrupt(task_id, token, None):
            log.warning("The lease of %s was lost; its run here is dropped", printable(task_id))
