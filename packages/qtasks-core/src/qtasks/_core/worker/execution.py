"""The template of a run: which step comes when, and which triggers fire around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks._core.triggers import emit
from qtasks._core.worker.middlewares import call_middlewares
from qtasks.contracts.executor import SyncTaskExecutor
from qtasks.exc import TaskPluginTriggerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks._core.triggers.table import TriggerTable
    from qtasks._core.worker.places import Place, Pools
    from qtasks._core.worker.plan import Plan
    from qtasks.contracts.executor import BaseTaskExecutor

__all__ = ["execute"]


async def execute(
    plan: Plan,
    executor: BaseTaskExecutor,
    table: TriggerTable,
    pools: Pools,
    begin: Callable[[], None] | None = None,
) -> Any:
    """Runs all steps and returns the value to store; raises what the task raised.

    Args:
        plan: what there is to do, and where.
        executor: the executor of the run.
        table: who listens.
        pools: where functions run that do not run on the loop.
        begin: called on the loop when the run has its place, which may be after a wait.
    """
    place = plan.place(pools, begin)
    try:
        if plan.before:
            echo, values = executor.echo, executor.values
            executor = await call_middlewares(plan, plan.before, executor, place)
            # also of one that a middleware put in its place
            executor.echo, executor.values = echo, values
        await _run(executor, table, place)
        if plan.bare:
            return executor.result
        await _after(executor, place)
        if plan.after:
            executor = await call_middlewares(plan, plan.after, executor, place)
        return await _decoded(executor, place)
    finally:
        place.close()


async def _run(executor: BaseTaskExecutor, table: TriggerTable, place: Place) -> None:
    """Gets the result: from the function, or from plugins if it asks for that."""
    if subscribers := table.task_executor_args_replace:
        values: dict[str, Any] = {
            "task_executor": executor,
            "args": executor.args,
            "kw": executor.kwargs,
        }
        values = await emit.replace("task_executor_args_replace", subscribers, values)
        executor.args, executor.kwargs = tuple(values["args"]), values["kw"]
    if executor.echo is not None:  # last, so that plugins see the arguments of the call
        executor.args = (executor.echo, *executor.args)
    try:
        if subscribers := table.task_executor_execute:
            arguments = {"task_executor": executor, "task_broker": executor.task_broker}
            async with emit.around("task_executor_execute", subscribers, arguments):
                await place.run(executor)
        else:
            await place.run(executor)
    except TaskPluginTriggerError as error:
        executor.result = await _result_from_plugins(executor, table, error)
    else:
        await _filtered(executor, table)


async def _filtered(executor: BaseTaskExecutor, table: TriggerTable) -> None:
    """Lets plugins replace what the function returned, or yielded."""
    if executor.task_func.generates:
        if subscribers := table.task_executor_run_task_gen:
            values = {"task_executor": executor, "results": executor.result}
            values = await emit.replace("task_executor_run_task_gen", subscribers, values)
            executor.result = values["results"]
    elif subscribers := table.task_executor_run_task:
        values = {"task_executor": executor, "result": executor.result}
        values = await emit.replace("task_executor_run_task", subscribers, values)
        executor.result = values["result"]


async def _after(executor: Any, place: Place) -> None:
    # The default of a thread does nothing: no way there and back.
    if type(executor).after_execute is not SyncTaskExecutor.after_execute:
        await place.call(executor.after_execute)


async def _decoded(executor: Any, place: Place) -> Any:
    task, kind = executor.task_func, type(executor)
    if task.decode is None and kind.decode is SyncTaskExecutor.decode:
        return executor.result  # likewise
    return await place.call(executor.decode)


async def _result_from_plugins(
    executor: BaseTaskExecutor, table: TriggerTable, error: TaskPluginTriggerError
) -> Any:
    """Returns the plugins' result for a task that asked for one, else raises its exception."""
    result = None
    if subscribers := table.task_executor_run_task_trigger_error:
        arguments = {
            "task_executor": executor,
            "task_func": executor.task_func,
            "task_broker": executor.task_broker,
            "e": error,
        }
        name = "task_executor_run_task_trigger_error"
        result = await emit.last(name, subscribers, arguments)
    if result is None:
        raise error
    return result
