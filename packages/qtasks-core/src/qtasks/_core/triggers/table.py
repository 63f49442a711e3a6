"""The compiled table: for each trigger, who listens.

A call site is ``if subscribers := table.worker_start: ...``: one attribute, one emptiness test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qtasks._core.triggers.subscription import Subscribers

__all__ = ["TriggerTable"]


@dataclass(frozen=True, slots=True)
class TriggerTable:
    """One attribute for each trigger of the catalogue; a test keeps the two equal."""

    qtasks_add_task_before_broker: Subscribers = ()
    qtasks_add_task_after_broker: Subscribers = ()
    qtasks_get: Subscribers = ()
    plugin_error: Subscribers = ()
    worker_start: Subscribers = ()
    worker_stop: Subscribers = ()
    worker_execute_before: Subscribers = ()
    worker_task_error_retry: Subscribers = ()
    worker_execute_after: Subscribers = ()
    worker_outcome: Subscribers = ()
    worker_lease_lost: Subscribers = ()
    task_executor_args_replace: Subscribers = ()
    task_executor_execute: Subscribers = ()
    task_executor_run_task: Subscribers = ()
    task_executor_run_task_gen: Subscribers = ()
    task_executor_run_task_trigger_error: Subscribers = ()
