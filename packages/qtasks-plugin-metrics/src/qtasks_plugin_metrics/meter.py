"""What one worker measures; all of it on the worker's own loop."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from qtasks.schemas import Cancel, Fail, Release, Retry, Success
from qtasks_plugin_metrics.cells import Exemplar
from qtasks_plugin_metrics.declarations import BY_NAME, Metric
from qtasks_plugin_metrics.gauges import broker_kind, read_figures
from qtasks_plugin_metrics.guard import UNKNOWN, ErrorWords, Words
from qtasks_plugin_metrics.ledger import Ledger
from qtasks_plugin_metrics.shared import error_name
from qtasks_plugin_metrics.task_cells import Busy, TaskCells

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from qtasks.schemas import Delivery, Finished, Held
    from qtasks_plugin_metrics.gauges import Reading

__all__ = ["Meter"]

#: Tasks whose series are there from the start; those of others come with their first run.
_PREPARED: Final = 100


class Meter:
    """Measures one worker.

    Args:
        worker: the worker.
        metrics: the metrics by name.

    Attributes:
        ledger: where it adds up.
        started_at: when it began, seconds since the epoch.
    """

    def __init__(self, worker: Any, metrics: Mapping[str, Metric] = BY_NAME) -> None:
        self.worker = worker
        self.ledger = Ledger(metrics)
        self.started_at = time.time()
        self._tasks = worker.app.tasks
        self._now = worker.app.clock.time
        self._broker = broker_kind(worker)
        self._cells: dict[tuple[str, str], TaskCells] = {}
        self._busy: dict[str, Busy] = {}
        self._errors, self._reasons = ErrorWords(), Words()
        self._skew = 0.0  # how far the worker's clock is ahead of the broker's, in seconds
        self._away = False
        # Whoever takes from one queue need not look from which: with each batch for all of it.
        self._only = frozenset(worker.queues) if len(worker.queues) == 1 else frozenset()
        self._calls = self.ledger.histogram("broker_op_duration_seconds", self._broker, "exchange")
        self.lag = self.ledger.histogram("event_loop_lag_seconds")
        self._prepare()

    def _prepare(self) -> None:
        """Makes the series that are to be there before something happens."""
        self.ledger.counter("broker_reconnects", self._broker)
        for queue in self.worker.queues:
            self.ledger.counter("leases_expired", queue)
            self.ledger.counter("settles_fenced", queue)
            self.ledger.counter("deliveries", queue, "yes")
        for name, task in islice(self._tasks.items(), _PREPARED):
            if task.queue in self.worker.queues:
                self._open(task.queue, name)

    # Runs

    def ended(
        self, runs: Sequence[Finished], refused: Sequence[str], traces: Mapping[str, str]
    ) -> None:
        """Counts runs whose outcomes were sent.

        Args:
            runs: the runs.
            refused: ids of those whose outcomes the broker refused.
            traces: the traces they are from, by id.
        """
        if refused or traces:
            special = runs
        else:
            special = [run for run in runs if type(run.settlement.outcome) is not Success]
            if special:
                runs = [run for run in runs if type(run.settlement.outcome) is Success]
            if runs:
                self._succeeded(runs)
        for run in special:
            cells = self._cells_of(run.delivery.message.queue, run.delivery.message.task)
            cells.busy.ended += max(0.0, run.ended - run.started)
            cells.wait.observe(run.started - self._skew - run.delivery.due_at)
            fenced = run.delivery.id in refused
            self._ended(cells, run, traces.get(run.delivery.id), fenced=fenced)

    def _succeeded(self, runs: Sequence[Finished]) -> None:
        """Counts runs that returned; nearly every run comes here, so no step is taken for each."""
        queues = self._only or {run.delivery.message.queue for run in runs}
        tasks = {run.delivery.message.task for run in runs}
        if len(queues) == len(tasks) == 1:
            self._cells_of(*queues, *tasks).succeeded(runs, self._skew)
            return
        groups: defaultdict[tuple[str, str], list[Finished]] = defaultdict(list)
        for run in runs:
            groups[run.delivery.message.queue, run.delivery.message.task].append(run)
        for (queue, task), group in groups.items():
            self._cells_of(queue, task).succeeded(group, self._skew)

    def count_running(self, running: Mapping[str, float]) -> None:
        """Counts runs that are not over yet, so that long ones are no surprise when they are.

        Args:
            running: for how many seconds they have been running, added up, by pool.
        """
        for pool in {*self._busy, *running}:
            busy = self._busy_of(pool)
            # A run that is over and not settled is in neither, and a counter never falls.
            busy.cell.value = max(busy.cell.value, busy.ended + running.get(pool, 0.0))

    def count_figures(self) -> Iterator[Reading]:
        """Counts what other plugins tell of themselves; returns what of it is a gauge."""
        now = self._now()
        for plugin in list(self.worker.app.plugins.values()):
            for name, labels, value in read_figures(plugin, now):
                if name == "circuit_state":
                    yield name, labels, value
                elif name == "retry_budget_exhausted":
                    cell = self.ledger.counter(name, *labels)
                    cell.value = max(cell.value, value)

    def _busy_of(self, pool: str) -> Busy:
        busy = self._busy.get(pool)
        if busy is None:
            busy = self._busy[pool] = Busy(self.ledger, pool)
        return busy

    def _cells_of(self, queue: str, task: str) -> TaskCells:
        """Returns the cells of a task; all that nobody has registered share theirs."""
        cells = self._cells.get((queue, task))
        return self._open(queue, task) if cells is None else cells

    def _open(self, queue: str, task: str) -> TaskCells:
        known = self._tasks.get(task)
        name, pool = (UNKNOWN, "loop") if known is None else (task, known.pool)
        key = (queue, name)
        cells = self._cells.get(key)
        if cells is None:
            cells = self._cells[key] = TaskCells(self.ledger, queue, name, self._busy_of(pool))
        return cells

    def _ended(self, cells: TaskCells, run: Finished, trace: str | None, *, fenced: bool) -> None:
        """Counts a run of which there is more to say than that it returned."""
        queue, task, counter = cells.queue, cells.task, self.ledger.counter
        outcome = run.settlement.outcome
        if fenced:
            counter("attempts", queue, task, "fenced").inc()
            counter("settles_fenced", queue).inc()
            return
        attempt = counter("attempts", queue, task, _word(outcome))
        attempt.inc()
        if trace is not None:
            attempt.exemplar = Exemplar(trace, 1.0, time.time())
        error = outcome.error if isinstance(outcome, Fail | Retry) else None
        if error is not None:
            counter("task_errors", queue, task, self._errors(_short(error.type))).inc()
        if error is not None or isinstance(outcome, Success):
            word = "success" if error is None else "error"
            duration = self.ledger.histogram("task_duration_seconds", queue, task, word)
            duration.observe(run.ended - run.started, trace)
        if isinstance(outcome, Retry):
            if outcome.counted:
                counter("retries", queue, task).inc()
                self.ledger.histogram("retry_delay_seconds", queue).observe(outcome.delay)
        elif not isinstance(outcome, Release):
            self._over(cells, run, outcome)

    def _over(self, cells: TaskCells, run: Finished, outcome: Any) -> None:
        """Counts a task that is over."""
        queue, task = cells.queue, cells.task
        self.ledger.counter("tasks_finished", queue, task, _last_word(outcome)).inc()
        cells.end_to_end.observe(run.ended - self._skew - run.delivery.enqueued_at)
        if isinstance(outcome, Fail):
            self.ledger.counter("dead_letters", queue, task, self._reasons(outcome.reason)).inc()

    # Calls to the broker

    def called(self, seconds: float, error: BaseException | None) -> None:
        """Counts a call that settled and claimed.

        Args:
            seconds: how long it took.
            error: why there is no answer, or None.
        """
        if error is not None:
            self._away = True
            kind = self._errors(error_name(error))
            self.ledger.counter("broker_errors", self._broker, "exchange", kind).inc()
            return
        if self._away:
            self._away = False
            self.ledger.counter("broker_reconnects", self._broker).inc()
        self._calls.observe(seconds)

    def claimed(self, deliveries: Sequence[Delivery]) -> None:
        """Counts what was handed to the worker."""
        if not deliveries:
            return
        self._skew = self._now() - deliveries[-1].claimed_at
        queues = self._only or {delivery.message.queue for delivery in deliveries}
        counts = _by_queue(deliveries, queues)
        again = [delivery for delivery in deliveries if delivery.deliveries > 1 or delivery.lost]
        for queue, count in _by_queue(again, queues).items():
            counts[queue] -= count
            self.ledger.counter("deliveries", queue, "yes").inc(count)
        for queue, count in counts.items():
            self.ledger.counter("deliveries", queue, "no").inc(count)
        for delivery in again:
            if delivery.lost:
                self.ledger.counter("leases_expired", delivery.message.queue).inc()

    def kept(self, held: Sequence[Held], lost: Sequence[str]) -> None:
        """Counts leases that were to be renewed.

        Args:
            held: what they are of.
            lost: ids of those that are somebody else's.
        """
        gone = frozenset(lost)
        for one in held:
            result = "lost" if one.id in gone else "renewed"
            self.ledger.counter("lease_renewals", one.queue, result).inc()


def _by_queue(deliveries: Sequence[Delivery], queues: AbstractSet[str]) -> dict[str, int]:
    """Counts deliveries by their queue; most batches are from one."""
    if len(queues) == 1:
        return dict.fromkeys(queues, len(deliveries))
    return Counter([delivery.message.queue for delivery in deliveries])


def _short(error_type: str) -> str:
    return error_type.removeprefix("builtins.")


def _word(outcome: Any) -> str:
    """Returns the word for what a run meant."""
    if isinstance(outcome, Retry):
        return "retry" if outcome.counted else "snooze"
    return type(outcome).__name__.lower()


def _last_word(outcome: Any) -> str:
    """Returns the word for how a task is over."""
    if isinstance(outcome, Cancel) and outcome.reason in {"discarded", "expired"}:
        return str(outcome.reason)
    return type(outcome).__name__.lower()
