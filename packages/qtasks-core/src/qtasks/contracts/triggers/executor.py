"""Triggers of the task executor: the run of one delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.contracts.triggers.spec import Kind, trigger

if TYPE_CHECKING:
    from collections.abc import Mapping


@trigger(Kind.FILTER, returns=("args", "kw"), since="1.0")
def task_executor_args_replace(
    task_executor: Any, args: tuple[Any, ...], kw: Mapping[str, Any]
) -> Any:
    """Fires before the function runs; may change its arguments.

    Args:
        task_executor: the executor of the run.
        args: positional arguments.
        kw: keyword arguments.
    """


@trigger(Kind.AROUND, since="1.0")
def task_executor_execute(task_executor: Any, task_broker: Any) -> Any:
    """Wraps the run of the function; subscribers return a context manager of either colour.

    Args:
        task_executor: the executor of the run.
        task_broker: the delivery.
    """


@trigger(Kind.FILTER, returns=("result",), since="1.0")
def task_executor_run_task(task_executor: Any, result: Any) -> Any:
    """Fires when the function has returned; may replace the result.

    Args:
        task_executor: the executor of the run.
        result: what it returned.
    """


@trigger(Kind.FILTER, returns=("results",), since="1.0")
def task_executor_run_task_gen(task_executor: Any, results: Any) -> Any:
    """Fires when a generator is exhausted; may replace the result.

    Args:
        task_executor: the executor of the run.
        results: the values in the order they were yielded, each as the task's
            ``generate_handler`` left it; or what the generator returned, if it returned something.
    """


@trigger(Kind.LAST, returns=("result",), since="1.0")
def task_executor_run_task_trigger_error(
    task_executor: Any, task_func: Any, task_broker: Any, e: Any
) -> Any:
    """Fires when the function raised ``TaskPluginTriggerError``; an answer becomes the result.

    Args:
        task_executor: the executor of the run.
        task_func: the registered task.
        task_broker: the delivery.
        e: the exception.
    """
