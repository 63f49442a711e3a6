"""What is written of an end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from qtasks.schemas import Fail, Retry

if TYPE_CHECKING:
    from qtasks.schemas import Delivery, Outcome

__all__ = ["line_of"]


def line_of(worker: str, delivery: Delivery, outcome: Outcome, final: bool, now: float) -> bytes:
    """Returns an end as one line of JSON.

    Neither arguments nor results are in it, nor the message of an exception, which may repeat them.

    Args:
        worker: the id of the worker.
        delivery: what was run.
        outcome: how it ended.
        final: whether the task is over.
        now: when that was, in seconds since the epoch.
    """
    message = delivery.message
    fields: dict[str, Any] = {
        "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "task": message.task,
        "id": message.id,
        "queue": message.queue,
        "end": type(outcome).__name__.lower(),
        "final": final,
        "run": delivery.deliveries,
        "worker": worker,
    }
    if isinstance(outcome, Fail | Retry) and outcome.error is not None:
        fields["error"] = outcome.error.type
    if isinstance(outcome, Fail):
        fields["reason"] = outcome.reason
    if isinstance(outcome, Retry):
        fields["delay"] = outcome.delay
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"
