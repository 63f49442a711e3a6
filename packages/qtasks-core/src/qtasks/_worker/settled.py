"""What is told once the broker has answered: to the log, and to the plugins."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from qtasks._core.decisions.outcomes import is_final
from qtasks._runtime.errors import printable
from qtasks._triggers import emit
from qtasks.schemas import Delivery, Fail, Finished, Outcome, Retry, Settlement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtasks._triggers.registry import TriggerRegistry
    from qtasks._triggers.table import TriggerTable
    from qtasks.schemas import Exchange

__all__ = ["tell_exchanged", "tell_settled"]

log = logging.getLogger("qtasks.worker")


async def tell_settled(
    worker: Any, registry: TriggerRegistry, finished: Finished, *, fenced: bool
) -> None:
    """Logs what failed or was refused, and fires the triggers of a settled run.

    Args:
        worker: the worker, as plugins see it.
        registry: the plugins.
        finished: the run.
        fenced: whether the broker refused its outcome.
    """
    delivery, outcome, task = finished.delivery, finished.settlement.outcome, finished.task
    if fenced:
        log.warning(
            "The outcome of %s %s was refused: a newer delivery exists",
            printable(delivery.message.task),
            printable(delivery.id),
            extra=_extra(delivery),
        )
    else:
        _log_failure(delivery, outcome)
    table = registry.table if task is None else registry.table_for(task)
    if table.hears_ends:
        await _tell(worker, table, finished, fenced=fenced)


async def _tell(worker: Any, table: TriggerTable, finished: Finished, *, fenced: bool) -> None:
    """Fires the triggers of a settled run."""
    delivery, outcome, task = finished.delivery, finished.settlement.outcome, finished.task
    about = {"worker": worker, "task_broker": delivery}
    if not fenced and (subscribers := table.storage_remove_finished_task):
        written = {
            "storage": worker.broker.storage,
            "task_broker": delivery,
            "model": finished.settlement,
        }
        await emit.notify("storage_remove_finished_task", subscribers, written)
    if not fenced and (subscribers := table.worker_execute_after):
        after = {
            "worker": worker,
            "task_func": task,
            "task_broker": delivery,
            "model": finished.settlement,
        }
        await emit.notify("worker_execute_after", subscribers, after)
    if subscribers := table.worker_outcome:
        answer = {
            "outcome": outcome,
            "final": is_final(outcome),
            "fenced": fenced,
            "started": finished.started,
            "seconds": max(0.0, finished.ended - finished.started),
        }
        await emit.notify("worker_outcome", subscribers, {**about, **answer})
    if fenced and (subscribers := table.worker_lease_lost):
        await emit.notify("worker_lease_lost", subscribers, about)
    if not fenced and isinstance(outcome, Fail) and (subscribers := table.worker_dead_letter):
        dead = {
            "worker": worker,
            "uuid": delivery.id,
            "reason": outcome.reason,
            "task_func": task,
            "task_broker": delivery,
        }
        await emit.notify("worker_dead_letter", subscribers, dead)


async def tell_exchanged(
    worker: Any,
    registry: TriggerRegistry,
    failed: Callable[[Exception], object],
    answer: Exchange,
    *,
    batch: Sequence[Finished | Settlement],
    **measured: Any,
) -> None:
    """Tells plugins of a call that settled and claimed.

    Args:
        worker: the worker.
        registry: the plugins.
        failed: takes the failure of a plugin whose failures are to be raised.
        answer: what the broker said.
        batch: what was settled.
        **measured: what else ``worker_exchanged`` tells.
    """
    if subscribers := registry.table.worker_exchanged:
        about = {
            "worker": worker,
            "deliveries": answer.deliveries,
            "runs": [entry for entry in batch if type(entry) is Finished],
            "refused": answer.refused,
            **measured,
        }
        try:
            await emit.notify("worker_exchanged", subscribers, about)
        except Exception as error:  # noqa: BLE001 - as failed says
            failed(error)


def _log_failure(delivery: Delivery, outcome: Outcome) -> None:
    """Logs a failed attempt: for good with its traceback, otherwise in one line."""
    error = outcome.error if isinstance(outcome, Fail | Retry) else None
    if error is None:
        return
    extra = _extra(delivery)
    task, task_id = extra["task_name"], extra["task_id"]
    if isinstance(outcome, Fail):
        trace = printable(error.traceback or f"{error.type}: {error.message}", lines=True).rstrip()
        text = "Task %s %s failed (%s)\n%s"
        log.error(text, task, task_id, outcome.reason, trace, extra=extra)
    elif isinstance(outcome, Retry):
        what = printable(f"{error.type}: {error.message}")
        text = "Task %s %s runs again in %g s: %s"
        log.warning(text, task, task_id, outcome.delay, what, extra=extra)


def _extra(delivery: Delivery) -> dict[str, str]:
    """Returns what :class:`~qtasks.logs.TaskFilter` gives to records made while a task runs."""
    return {"task_id": printable(delivery.id), "task_name": printable(delivery.message.task)}
