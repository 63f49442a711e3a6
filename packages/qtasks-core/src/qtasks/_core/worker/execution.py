"""The template of a run: which step comes when, and which triggers fire around it."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from qtasks._core.triggers import emit
from qtasks._core.worker.processes import ProcessPool
from qtasks._core.worker.threads import ThreadPool
from qtasks.contracts.executor import AsyncTaskExecutor, BaseTaskExecutor, SyncTaskExecutor
from qtasks.exc import TaskPluginTriggerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks._core.triggers.table import TriggerTable
    from qtasks.schemas import Delivery, TaskDefinition

__all__ = ["Pools", "execute", "make_executor"]


class Pools(msgspec.Struct):
    """Where functions run that do not run on the loop.

    Attributes:
        threads: for plain functions.
        processes: for ``pool="process"``.
    """

    threads: ThreadPool
    processes: ProcessPool


def make_executor(task: TaskDefinition, delivery: Delivery) -> BaseTaskExecutor:
    """Makes the executor of one run: the task's own class, or the default of its pool."""
    kind = task.executor
    if kind is None:
        kind = AsyncTaskExecutor if task.colour == "coroutine" else SyncTaskExecutor
    executor: BaseTaskExecutor = kind(task, delivery)
    return executor


async def execute(
    executor: BaseTaskExecutor,
    table: TriggerTable,
    pools: Pools,
    begin: Callable[[], None] | None = None,
) -> Any:
    """Runs all steps and returns the value to store; raises what the task raised.

    Args:
        executor: the executor of the run.
        table: who listens.
        pools: where functions run that do not run on the loop.
        begin: called on the loop when the function starts, which may be after a wait.
    """
    if subscribers := table.task_executor_args_replace:
        values: dict[str, Any] = {
            "task_executor": executor,
            "args": executor.args,
            "kw": executor.kwargs,
        }
        values = await emit.replace("task_executor_args_replace", subscribers, values)
        executor.args, executor.kwargs = tuple(values["args"]), values["kw"]
    try:
        if subscribers := table.task_executor_execute:
            arguments = {"task_executor": executor, "task_broker": executor.task_broker}
            async with emit.around("task_executor_execute", subscribers, arguments):
                await _run(executor, pools, begin)
        else:
            await _run(executor, pools, begin)
    except TaskPluginTriggerError as error:
        executor.result = await _result_from_plugins(executor, table, error)
    else:
        if subscribers := table.task_executor_run_task:
            values = {"task_executor": executor, "result": executor.result}
            values = await emit.replace("task_executor_run_task", subscribers, values)
            executor.result = values["result"]
    return await _finish(executor, pools)


async def _run(executor: BaseTaskExecutor, pools: Pools, begin: Callable[[], None] | None) -> None:
    task = executor.task_func
    if isinstance(executor, AsyncTaskExecutor):
        if begin is not None:
            begin()
        await executor.before_execute()
        executor.result = await executor.run_task()
    elif isinstance(executor, SyncTaskExecutor) and task.pool == "process":
        if _overrides(executor, "before_execute"):
            await pools.threads.run(executor.before_execute)
        executor.result = await pools.processes.run(task, executor.args, executor.kwargs, begin)
    elif isinstance(executor, SyncTaskExecutor):
        await _plainly(task, pools, partial(_run_plain, executor), begin)


async def _plainly(
    task: TaskDefinition,
    pools: Pools,
    steps: Callable[[], Any],
    begin: Callable[[], None] | None = None,
) -> Any:
    """Runs plain steps where the task wants its function: on the loop, or in a thread."""
    return steps() if task.pool == "loop" else await pools.threads.run(steps, begin)


def _run_plain(executor: SyncTaskExecutor) -> None:
    executor.before_execute()
    executor.result = executor.run_task()


async def _finish(executor: BaseTaskExecutor, pools: Pools) -> Any:
    if isinstance(executor, AsyncTaskExecutor):
        await executor.after_execute()
        value = await executor.decode()
        return await value if inspect.isawaitable(value) else value
    if not isinstance(executor, SyncTaskExecutor):
        return executor.result
    if executor.task_func.decode is None and not _overrides(executor, "after_execute", "decode"):
        return executor.result  # the default steps do nothing: no way to a thread and back
    value = await _plainly(executor.task_func, pools, partial(_finish_plain, executor))
    return await value if inspect.isawaitable(value) else value


def _finish_plain(executor: SyncTaskExecutor) -> Any:
    executor.after_execute()
    return executor.decode()


def _overrides(executor: SyncTaskExecutor, *steps: str) -> bool:
    kind = type(executor)
    return any(getattr(kind, step) is not getattr(SyncTaskExecutor, step) for step in steps)


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
