"""The compiled table: for each trigger, who listens.

A call site is ``if subscribers := table.worker_start: ...``: one attribute, one emptiness test.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qtasks._triggers.subscription import Subscribers

__all__ = ["TriggerTable"]

#: What may change a delivery before its run, and what may change what is written after it.
_STARTS: Final = (
    "broker_add_worker",
    "worker_add",
    "storage_add_process",
    "worker_run_task_before",
    "worker_execute_before",
)
_SETTLING: Final = (
    "worker_remove_finished_task",
    "broker_remove_finished_task",
    "broker_update",
    "storage_update",
)
#: What is told of a run when its outcome has been written.
_ENDS: Final = (
    "storage_remove_finished_task",
    "worker_execute_after",
    "worker_outcome",
    "worker_lease_lost",
    "worker_dead_letter",
)


@dataclass(frozen=True, slots=True)
class TriggerTable:
    """One attribute for each trigger of the catalogue; a test keeps the two equal.

    Attributes:
        hears_runs: whether somebody listens to a step of a run; most runs need one look.
        hears_starts: whether somebody listens when a delivery comes, or is about to run.
        hears_settling: whether somebody listens when it has ended and is about to be settled.
        hears_ends: whether somebody listens to what is told when an outcome has been written.
    """

    qtasks_add_task_before_broker: Subscribers = ()
    qtasks_add_task_after_broker: Subscribers = ()
    qtasks_publish: Subscribers = ()
    qtasks_get: Subscribers = ()
    qtasks_ping: Subscribers = ()
    qtasks_flush_all: Subscribers = ()
    stats_inspect: Subscribers = ()
    broker_start: Subscribers = ()
    broker_stop: Subscribers = ()
    broker_add_before: Subscribers = ()
    broker_add_after: Subscribers = ()
    broker_add_worker: Subscribers = ()
    broker_get: Subscribers = ()
    broker_update: Subscribers = ()
    broker_remove_finished_task: Subscribers = ()
    broker_listen_start: Subscribers = ()
    broker_running_older_tasks: Subscribers = ()
    broker_flush_all: Subscribers = ()
    storage_start: Subscribers = ()
    storage_stop: Subscribers = ()
    storage_add: Subscribers = ()
    storage_get: Subscribers = ()
    storage_get_all: Subscribers = ()
    storage_update: Subscribers = ()
    storage_add_process: Subscribers = ()
    storage_remove_finished_task: Subscribers = ()
    storage_running_older_tasks: Subscribers = ()
    storage_delete_finished_tasks: Subscribers = ()
    storage_flush_all: Subscribers = ()
    global_config_start: Subscribers = ()
    global_config_stop: Subscribers = ()
    global_config_set_status: Subscribers = ()
    global_config_set: Subscribers = ()
    global_config_get: Subscribers = ()
    global_config_get_all: Subscribers = ()
    global_config_get_match: Subscribers = ()
    starter_start: Subscribers = ()
    starter_stop: Subscribers = ()
    qtasks_stop: Subscribers = ()
    worker_start: Subscribers = ()
    worker_stop: Subscribers = ()
    worker_child_exit: Subscribers = ()
    worker_before_kill: Subscribers = ()
    plugin_error: Subscribers = ()
    worker_add: Subscribers = ()
    worker_run_task_before: Subscribers = ()
    worker_execute_before: Subscribers = ()
    worker_task_error_retry: Subscribers = ()
    worker_remove_finished_task: Subscribers = ()
    worker_execute_after: Subscribers = ()
    worker_outcome: Subscribers = ()
    worker_exchanged: Subscribers = ()
    worker_leases_kept: Subscribers = ()
    worker_lease_lost: Subscribers = ()
    worker_dead_letter: Subscribers = ()
    task_executor_args_replace: Subscribers = ()
    task_executor_fill: Subscribers = ()
    task_executor_middlewares_execute: Subscribers = ()
    task_executor_before_execute: Subscribers = ()
    task_executor_execute: Subscribers = ()
    task_executor_run_task: Subscribers = ()
    task_executor_run_task_gen: Subscribers = ()
    task_executor_run_task_trigger_error: Subscribers = ()
    task_executor_after_execute: Subscribers = ()
    task_executor_after_execute_result_replace: Subscribers = ()
    task_executor_decode: Subscribers = ()
    task_executor_task_close: Subscribers = ()
    hears_runs: bool = field(init=False)
    hears_starts: bool = field(init=False)
    hears_settling: bool = field(init=False)
    hears_ends: bool = field(init=False)

    def __post_init__(self) -> None:
        """Sums up."""
        # Of this class: one with triggers of others has slots of its own.
        steps = [name for name in TriggerTable.__slots__ if name.startswith("task_executor_")]
        sums = {"runs": steps, "starts": _STARTS, "settling": _SETTLING, "ends": _ENDS}
        for name, triggers in sums.items():
            heard = any(getattr(self, trigger) for trigger in triggers)
            object.__setattr__(self, f"hears_{name}", heard)
