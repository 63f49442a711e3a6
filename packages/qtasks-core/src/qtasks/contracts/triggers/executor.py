"""Triggers of the task executor: the run of one delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.contracts.triggers.checks import check_arguments, check_values
from qtasks.contracts.triggers.spec import Kind, trigger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtasks.schemas import ArgMeta, Delivery, TaskDefinition


@trigger(
    Kind.FILTER,
    returns=("args", "kw"),
    since="1.0",
    roles=("worker",),
    per_task=True,
    check=check_arguments,
)
def task_executor_args_replace(
    task_executor: Any,
    args: tuple[Any, ...],
    kw: Mapping[str, Any],
    args_info: Sequence[ArgMeta],
) -> Any:
    """Fires before the function runs; may change its arguments.

    Args:
        task_executor: the executor of the run.
        args: positional arguments.
        kw: keyword arguments.
        args_info: what is known of each argument, its type above all, in the order of the
            parameters: :class:`qtasks.schemas.ArgMeta`. It is worked out when somebody looks,
            and tells of the call as it came, whatever other plugins have changed.

    Returns:
        The arguments to call the function with; what an answer leaves out stays as it was.

    Changed:
        What is returned counts in synchronous apps too. ``args_info`` holds the values of the
        call, not only the defaults, and types that were written as text are resolved.

    Example:
        class Clamp(Plugin):
            @on("task_executor_args_replace")
            def clamp(self, kw):
                return {"kw": {**kw, "limit": min(kw["limit"], 100)}} if "limit" in kw else None
    """


@trigger(
    Kind.FILTER,
    returns=("values",),
    since="1.0",
    roles=("worker",),
    per_task=True,
    check=check_values,
)
def task_executor_fill(
    worker: Any, task_executor: Any, task_broker: Delivery, values: Mapping[str, Any]
) -> Any:
    """Fires before the function runs, to fill in the parameters that ``Plugin.fills`` named.

    What is raised here by a plugin that fills in parameters of the task fails the task, and is no
    failure of the plugin; the time it takes is that of the task.
    ``await task_executor.call_plain(function)`` calls what may block, and
    ``task_executor.context()`` is the context of the run. What is opened here is closed in
    ``task_executor_task_close``, which fires whether or not all could be filled in.

    Args:
        worker: the worker.
        task_executor: the executor of the run, with the arguments of the call.
        task_broker: the delivery.
        values: what other plugins have filled in so far, by parameter.

    Returns:
        The values of parameters, by name; they are added to those of others. Only parameters
        that the plugin named count.

    Example:
        class Now(Plugin):
            def fills(self, task):
                return [name for name in task.signature.parameters if name == "now"]

            @on("task_executor_fill")
            def fill(self, task_executor):
                if "now" in task_executor.task_func.filled:
                    return {"now": perf_counter()}
                return None
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",), per_task=True)
def task_executor_middlewares_execute(
    task_executor: Any,
    middlewares_before: Sequence[Any] | None,
    middlewares_after: Sequence[Any] | None,
) -> None:
    """Fires before the middlewares of a stage are called, if it has any.

    Args:
        task_executor: the executor of the run.
        middlewares_before: those before the function, in order; None in the other stage.
        middlewares_after: those after the function, in order; None in the other stage.

    Changed:
        Both are always passed, one of them as None, and a stage without middlewares is none.

    Example:
        class Stages(Plugin):
            @on("task_executor_middlewares_execute")
            def stage(self, middlewares_before, middlewares_after):
                print("before" if middlewares_after is None else "after")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",), per_task=True)
def task_executor_before_execute(task_executor: Any) -> None:
    """Fires when everything is ready for the function: after ``before_execute`` of the executor.

    Args:
        task_executor: the executor of the run, with the arguments of the function.

    Example:
        class Prepared(Plugin):
            @on("task_executor_before_execute")
            def ready(self, task_executor):
                print(task_executor.task_func.name, len(task_executor.args))
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


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",), per_task=True)
def task_executor_after_execute(task_executor: Any) -> None:
    """Fires when there is a result: after ``after_execute`` of the executor.

    Args:
        task_executor: the executor of the run, with the result.

    Example:
        class Returned(Plugin):
            @on("task_executor_after_execute")
            def returned(self, task_executor):
                print(type(task_executor.result).__name__)
    """


@trigger(Kind.FILTER, returns=("result",), since="1.0", roles=("worker",), per_task=True)
def task_executor_after_execute_result_replace(task_executor: Any, result: Any) -> Any:
    """Fires after ``task_executor_after_execute``; may replace the result, wherever it came from.

    ``task_executor_run_task`` and ``task_executor_run_task_gen`` see what the function gave; this
    one sees results of generators and of plugins as well.

    Args:
        task_executor: the executor of the run.
        result: the result.

    Returns:
        The result to go on with.

    Example:
        class NoSecrets(Plugin):
            @on("task_executor_after_execute_result_replace")
            def clean(self, result):
                if isinstance(result, dict) and "password" in result:
                    return {"result": {**result, "password": "***"}}
                return None
    """


@trigger(Kind.FILTER, returns=("result",), since="1.0", roles=("worker",), per_task=True)
def task_executor_decode(task_executor: Any, result: Any) -> Any:
    """Fires after the ``decode`` step, with the value that is about to be stored.

    Args:
        task_executor: the executor of the run.
        result: the value; it is encoded afterwards.

    Returns:
        The value to store.

    Changed:
        An answer replaces the value, where any answer failed the task. The value is not text: it
        is encoded after this trigger.

    Example:
        class Stored(Plugin):
            @on("task_executor_decode")
            def as_text(self, result):
                return str(result) if isinstance(result, complex) else None
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",), per_task=True)
def task_executor_task_close(
    task_executor: Any,
    task_func: TaskDefinition,
    task_broker: Delivery,
    e: BaseException | None,
) -> None:
    """Fires at the end of every run, however it ended: the place to close what was opened for it.

    The outcome is fixed by then, and it is written afterwards. A plain function may still run in
    a thread that was left behind because its time was over.

    Args:
        task_executor: the executor of the run.
        task_func: the registered task.
        task_broker: the delivery.
        e: what ended the run: what it raised, or what it was stopped by; None if it returned.

    Changed:
        There is ``e``. It fires as well when the task failed, was cancelled, took too long or
        lost its lease.

    Example:
        class RunOver(Plugin):
            @on("task_executor_task_close")
            def close(self, task_broker):
                print(task_broker.id, "is over here")
    """
