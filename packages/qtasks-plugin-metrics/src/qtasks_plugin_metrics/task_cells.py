"""What is counted of one task in one queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.schemas import Finished
    from qtasks_plugin_metrics.ledger import Ledger

__all__ = ["Busy", "TaskCells"]


class Busy:
    """How long tasks of one pool have been running.

    Attributes:
        ended: seconds of the runs that are over.
        cell: where all of it is counted, those that still run included.
    """

    __slots__ = ("cell", "ended")

    def __init__(self, ledger: Ledger, pool: str) -> None:
        self.ended = 0.0
        self.cell = ledger.counter("worker_busy_seconds", pool)


class TaskCells:
    """The cells of one task in one queue that nearly every run needs, looked up once."""

    __slots__ = ("attempts", "busy", "duration", "end_to_end", "finished", "queue", "task", "wait")

    def __init__(self, ledger: Ledger, queue: str, task: str, busy: Busy) -> None:
        self.queue, self.task = queue, task
        self.attempts = ledger.counter("attempts", queue, task, "success")
        self.finished = ledger.counter("tasks_finished", queue, task, "success")
        self.duration = ledger.histogram("task_duration_seconds", queue, task, "success")
        self.wait = ledger.histogram("task_wait_seconds", queue)
        self.end_to_end = ledger.histogram("task_end_to_end_seconds", queue)
        self.busy = busy
        # They are there before they are needed: an increase of what was not there is none.
        for outcome in ("retry", "fail"):
            ledger.counter("attempts", queue, task, outcome)
        ledger.counter("tasks_finished", queue, task, "fail")
        ledger.counter("dead_letters", queue, task, "exhausted")

    def succeeded(self, runs: Sequence[Finished], skew: float) -> None:
        """Counts runs that returned and whose outcomes were taken, all of them at once.

        Args:
            runs: the runs, at least one.
            skew: how far the worker's clock is ahead of the broker's, in seconds.
        """
        self.attempts.value += len(runs)
        self.finished.value += len(runs)
        durations = [run.ended - run.started for run in runs]
        self.busy.ended += self.duration.observe_all(durations)
        self.wait.observe_all([run.started - run.delivery.due_at for run in runs], skew)
        self.end_to_end.observe_all([run.ended - run.delivery.enqueued_at for run in runs], skew)
