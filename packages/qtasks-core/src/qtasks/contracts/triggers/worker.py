"""Triggers of the worker: its own life and the life of each delivery."""

from __future__ import annotations

from typing import Any

from qtasks.contracts.triggers.spec import Kind, trigger


@trigger(Kind.NOTIFY, since="1.0")
def worker_start(worker: Any) -> None:
    """Fires when a worker is connected, before it claims.

    Args:
        worker: the worker.
    """


@trigger(Kind.NOTIFY, since="1.0")
def worker_stop(worker: Any) -> None:
    """Fires when a worker has settled everything, before it disconnects.

    Args:
        worker: the worker.
    """


@trigger(Kind.NOTIFY, since="1.0")
def worker_execute_before(worker: Any, task_broker: Any, task_func: Any) -> None:
    """Fires before a delivery runs; raising a ``TaskControl`` vetoes the start.

    Args:
        worker: the worker.
        task_broker: the delivery.
        task_func: the registered task.
    """


@trigger(Kind.FIRST, returns=("verdict",), since="1.0")
def worker_task_error_retry(
    broker: Any, task_func: Any, task_broker: Any, trace: str, e: BaseException, attempt: int
) -> Any:
    """Fires for every failed attempt; a returned ``Verdict`` decides what follows.

    Args:
        broker: the broker.
        task_func: the registered task.
        task_broker: the delivery.
        trace: the formatted traceback.
        e: the exception.
        attempt: counted attempts, this one included.
    """


@trigger(Kind.NOTIFY, since="1.0")
def worker_execute_after(worker: Any, task_func: Any, task_broker: Any, outcome: Any) -> None:
    """Fires when a run has been settled and the broker accepted it.

    Args:
        worker: the worker.
        task_func: the registered task, or None if the worker does not know it.
        task_broker: the delivery.
        outcome: what the end of the run meant.
    """


@trigger(Kind.NOTIFY, since="1.0")
def worker_outcome(worker: Any, task_broker: Any, outcome: Any, final: bool, fenced: bool) -> None:  # noqa: FBT001 - all arguments come by keyword
    """Fires after the broker's answer to a settlement, also when it was refused.

    Args:
        worker: the worker.
        task_broker: the delivery.
        outcome: what the end of the run meant.
        final: whether the task is over.
        fenced: whether the broker refused it because another delivery is newer.
    """


@trigger(Kind.NOTIFY, since="1.0")
def worker_lease_lost(worker: Any, task_broker: Any) -> None:
    """Fires when a running delivery turns out to belong to somebody else by now.

    Args:
        worker: the worker.
        task_broker: the delivery.
    """
