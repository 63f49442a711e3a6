"""Triggers of the task executor: the run of one delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.contracts.triggers.checks import check_arguments
from qtasks.contracts.triggers.spec import Kind, trigger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.schemas import Delivery, TaskDefinition


@trigger(
    Kind.FILTER,
    returns=("args", "kw"),
    since="1.0",
    roles=("worker",),
    per_task=True,
    check=check_arguments,
)
def task_executor_args_replace(
    task_executor: Any, args: tuple[Any, ...], kw: Mapping[str, Any]
) -> Any:
    """Fires before the function runs; may change its arguments.

    Args:
        task_executor: the executor of the run.
        args: positional arguments.
        kw: keyword arguments.

    Returns:
        The arguments to call the function with; what an answer leaves out stays as it was.

    Changed:
        What is returned counts in synchronous apps too.

    Example:
        class Clamp(Plugin):
            @on("task_executor_args_replace")
            def clamp(self, kw):
                return {"kw": {**kw, "limit": min(kw["limit"], 100)}} if "limit" in kw else None
    """


@trigger(Kind.AROUND, since="1.0", roles=("worker",), per_task=True)
def task_executor_execute(task_executor: Any, task_broker: Delivery) -> Any:
    """Wraps the run of the function; subscribers return a context manager of either colour.

    Args:
        task_executor: the executor of the run.
        task_broker: the delivery.

    Example:
        class Timed(Plugin):
            @on("task_executor_execute")
            @contextmanager
            def measure(self, task_executor):
                start = perf_counter()
                try:
                    yield
                finally:
                    print(task_executor.task_func.name, "took", perf_counter() - start, "s")
    """


@trigger(Kind.FILTER, returns=("result",), since="1.0", roles=("worker",), per_task=True)
def task_executor_run_task(task_executor: Any, result: Any) -> Any:
    """Fires when the function has returned; may replace the result.

    Args:
        task_executor: the executor of the run.
        result: what it returned.

    Returns:
        The result to go on with.

    Changed:
        An answer replaces the result, where any answer failed the task.

    Example:
        class Rounded(Plugin):
            @on("task_executor_run_task")
            def round(self, result):
                return round(result, 2) if isinstance(result, float) else None
    """


@trigger(Kind.FILTER, returns=("results",), since="1.0", roles=("worker",), per_task=True)
def task_executor_run_task_gen(task_executor: Any, results: Any) -> Any:
    """Fires when a generator is exhausted; may replace the result.

    Args:
        task_executor: the executor of the run.
        results: the values in the order they were yielded, each as the task's
            ``generate_handler`` left it; or what the generator returned, if it returned something.

    Returns:
        The result to go on with.

    Changed:
        An answer replaces the result, where any answer failed the task.

    Example:
        class Short(Plugin):
            @on("task_executor_run_task_gen")
            def shorten(self, results):
                return {"results": results[:100]} if isinstance(results, list) else None
    """


@trigger(Kind.LAST, returns=("result",), since="1.0", roles=("worker",), per_task=True)
def task_executor_run_task_trigger_error(
    task_executor: Any, task_func: TaskDefinition, task_broker: Delivery, e: BaseException
) -> Any:
    """Fires when the function raised ``TaskPluginTriggerError``; an answer becomes the result.

    Args:
        task_executor: the executor of the run.
        task_func: the registered task.
        task_broker: the delivery.
        e: the exception.

    Returns:
        The result of the task; the last answer counts. Without any the task fails with ``e``.

    Changed:
        Any value but None is an answer, 0, False, ``""`` and ``[]`` included, and ``{}`` is the
        value ``{}``.

    Example:
        class Rescue(Plugin):
            @on("task_executor_run_task_trigger_error")
            def rescue(self, e):
                return f"instead of {e}"
    """
