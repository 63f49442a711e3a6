"""Where a plugin may steer a run by raising ``TaskControl`` or cancelling the task."""

from __future__ import annotations

from typing import Final

__all__ = ["steers"]

#: Of the worker's triggers, those within a run; the executor's are, but for its end.
_STEERING: Final = frozenset(
    {"worker_run_task_before", "worker_execute_before", "worker_task_error_retry"}
)


def steers(trigger: str) -> bool:
    """Tells whether there is a run to steer; elsewhere such an exception is an error."""
    if trigger.startswith("task_executor_"):
        return trigger != "task_executor_task_close"
    return trigger in _STEERING
