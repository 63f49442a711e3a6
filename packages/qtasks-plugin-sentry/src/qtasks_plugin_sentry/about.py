"""What Sentry is told about a delivery: tags, a context, attributes of its span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.plugins import schedule_of
from qtasks_plugin_sentry.publishing import system_of

if TYPE_CHECKING:
    from qtasks.schemas import Delivery, Record, TaskDefinition

__all__ = ["attributes_of", "context_of", "record_context", "tags_of"]


def tags_of(
    task: str, queue: str, task_id: str, headers: dict[str, str], attempts: int
) -> dict[str, str]:
    """Returns the tags by which events of tasks are found.

    Args:
        task: the task's name.
        queue: its queue.
        task_id: its id.
        headers: those of its message.
        attempts: counted attempts before.
    """
    tags = {
        "qtasks.task": task,
        "qtasks.queue": queue,
        "qtasks.task_id": task_id,
        "qtasks.retry": "true" if attempts else "false",
    }
    schedule = schedule_of(headers)
    if schedule is not None:
        tags["qtasks.schedule"] = schedule.name
    return tags


def context_of(
    delivery: Delivery, task: TaskDefinition | None, worker: Any, now: float
) -> dict[str, Any]:
    """Returns the context ``qtasks`` of a run; there are no arguments in it.

    Args:
        delivery: what is run.
        task: its task, or None if the worker does not know it.
        worker: the worker.
        now: seconds since the epoch.
    """
    message = delivery.message
    return {
        "id": message.id,
        "task": message.task,
        "queue": message.queue,
        "root_id": message.root_id,
        "parent_id": message.parent_id,
        "attempt": delivery.attempts + 1,
        "max_attempts": None if task is None else task.max_attempts,
        "delivery": delivery.deliveries,
        "lost": delivery.lost,
        "enqueued_at": delivery.enqueued_at,
        "run_at": now,
        "wait_ms": waited_ms(delivery),
        "worker": worker.id,
        "broker": system_of(worker.broker),
        "timeout": None if task is None else task.max_time,
    }


def record_context(record: Record) -> dict[str, Any]:
    """Returns the context ``qtasks`` of a task that nobody runs any more.

    Args:
        record: what the storage knows of it.
    """
    return {
        "id": record.id,
        "task": record.task,
        "queue": record.queue,
        "root_id": record.root_id,
        "parent_id": record.parent_id,
        "attempt": record.attempts,
        "delivery": record.deliveries,
        "lost": record.lost,
        "enqueued_at": record.created_at,
        "worker": record.worker,
    }


def waited_ms(delivery: Delivery) -> float:
    """Returns for how many milliseconds a delivery was ready before it was handed out.

    Args:
        delivery: the delivery.
    """
    ready = delivery.due_at or delivery.enqueued_at
    return round(max(delivery.claimed_at - ready, 0.0) * 1000, 3)


def attributes_of(delivery: Delivery, broker: Any) -> dict[str, Any]:
    """Returns the attributes of a span of a run, as the page on queues wants them.

    Args:
        delivery: what is run.
        broker: where it comes from.
    """
    message = delivery.message
    return {
        "messaging.system": system_of(broker),
        "messaging.message.id": message.id,
        "messaging.destination.name": message.queue,
        "messaging.message.body.size": len(message.payload),
        "messaging.message.retry.count": delivery.attempts,
        "messaging.message.receive.latency": waited_ms(delivery),
    }
