"""The names of all triggers as a type, so that editors complete them and checkers know them.

A test keeps it equal to the catalogue.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["TriggerName"]

#: The name of a trigger of QTasks; plugins may bring others.
TriggerName: TypeAlias = Literal[
    "qtasks_add_task_before_broker",
    "qtasks_add_task_after_broker",
    "qtasks_publish",
    "qtasks_get",
    "qtasks_ping",
    "qtasks_flush_all",
    "stats_inspect",
    "broker_start",
    "broker_stop",
    "broker_add_before",
    "broker_add_after",
    "broker_add_worker",
    "broker_get",
    "broker_update",
    "broker_remove_finished_task",
    "broker_listen_start",
    "broker_running_older_tasks",
    "broker_flush_all",
    "storage_start",
    "storage_stop",
    "storage_add",
    "storage_get",
    "storage_get_all",
    "storage_update",
    "storage_add_process",
    "storage_remove_finished_task",
    "storage_running_older_tasks",
    "storage_delete_finished_tasks",
    "storage_flush_all",
    "global_config_start",
    "global_config_stop",
    "global_config_set_status",
    "global_config_set",
    "global_config_get",
    "global_config_get_all",
    "global_config_get_match",
    "starter_start",
    "starter_stop",
    "qtasks_stop",
    "worker_start",
    "worker_stop",
    "worker_child_exit",
    "worker_before_kill",
    "plugin_error",
    "worker_add",
    "worker_run_task_before",
    "worker_execute_before",
    "worker_task_error_retry",
    "worker_remove_finished_task",
    "worker_execute_after",
    "worker_outcome",
    "worker_lease_lost",
    "worker_dead_letter",
    "task_executor_args_replace",
    "task_executor_execute",
    "task_executor_run_task",
    "task_executor_run_task_gen",
    "task_executor_run_task_trigger_error",
]
