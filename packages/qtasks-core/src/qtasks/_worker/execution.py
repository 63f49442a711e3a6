"""The template of a run: which step comes when, and which triggers fire around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks._core.firing.readable import check_storable
from qtasks._triggers import emit
from qtasks._worker.firing.arguments import ArgsInfo
from qtasks._worker.middlewares import call_middlewares
from qtasks.contracts.executor import AsyncTaskExecutor, SyncTaskExecutor
from qtasks.exc import TaskPluginTriggerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks._triggers.table import TriggerTable
    from qtasks._worker.bracket import Bracket
    from qtasks._worker.places import Place, Pools
    from qtasks._worker.plan import Middleware, Plan
    from qtasks.contracts.executor import BaseTaskExecutor

__all__ = ["execute"]


async def execute(
    plan: Plan,
    executor: BaseTaskExecutor,
    table: TriggerTable,
    pools: Pools,
    begin: Callable[[], None] | None = None,
    *,
    bracket: Bracket | None = None,
) -> Any:
    """Runs all steps and returns the value to store; raises what the task raised.

    Args:
        plan: what there is to do, and where.
        executor: the executor of the run.
        table: who listens.
        pools: where functions run that do not run on the loop.
        begin: called on the loop when the run has its place, which may be after a wait.
        bracket: what stands around it, if anything does.
    """
    if plan.bare and not table.hears_runs:
        return await _bare(executor, plan.place(pools, begin))
    executor.place = place = plan.heard(pools, begin)
    try:
        if plan.before:
            if table.task_executor_middlewares_execute:
                await _tell_middlewares(executor, table, before=plan.before)
            first = executor
            executor = await call_middlewares(plan, plan.before, executor, place)
            # Also of one that a middleware put in its place.
            executor.echo, executor.values = first.echo, first.values
            executor.place, executor.contexts = place, first.contexts
        await _run(executor, table, place, bracket, converted=bool(plan.after))
        await _after(executor, table, place)
        if plan.after:
            if table.task_executor_middlewares_execute:
                await _tell_middlewares(executor, table, after=plan.after)
            executor = await call_middlewares(plan, plan.after, executor, place)
        return await _decoded(executor, table, place)
    finally:
        if bracket is None:
            place.close()
        else:
            bracket.leave(executor, place)


async def _bare(executor: BaseTaskExecutor, place: Place) -> Any:
    """Calls a function that nobody has anything to do with, and returns what it returned."""
    if executor.echo is not None:
        executor.args = (executor.echo, *executor.args)
    try:
        await place.run(executor)
    finally:
        place.close()
    return executor.result


def _about(executor: BaseTaskExecutor) -> dict[str, Any]:
    return {
        "task_executor": executor,
        "task_func": executor.task_func,
        "task_broker": executor.task_broker,
    }


async def _tell_middlewares(
    executor: BaseTaskExecutor,
    table: TriggerTable,
    *,
    before: tuple[Middleware, ...] | None = None,
    after: tuple[Middleware, ...] | None = None,
) -> None:
    about = {
        "task_executor": executor,
        "middlewares_before": None if before is None else tuple(one.make for one in before),
        "middlewares_after": None if after is None else tuple(one.make for one in after),
    }
    subscribers = table.task_executor_middlewares_execute
    await emit.notify("task_executor_middlewares_execute", subscribers, about)


async def _run(
    executor: BaseTaskExecutor,
    table: TriggerTable,
    place: Place,
    bracket: Bracket | None,
    *,
    converted: bool,
) -> None:
    """Gets the result: from the function, or from plugins if it asks for that."""
    if subscribers := table.task_executor_args_replace:
        values: dict[str, Any] = {
            "task_executor": executor,
            "args": executor.args,
            "kw": executor.kwargs,
            "args_info": ArgsInfo(executor.task_func, executor.args, executor.kwargs),
        }
        values = await emit.replace("task_executor_args_replace", subscribers, values)
        executor.args, executor.kwargs = tuple(values["args"]), values["kw"]
    if bracket is not None:
        await bracket.fill(executor, place)
    if executor.echo is not None:  # last, so that plugins see the arguments of the call
        executor.args = (executor.echo, *executor.args)
    try:
        if subscribers := table.task_executor_execute:
            arguments = {"task_executor": executor, "task_broker": executor.task_broker}
            async with emit.around("task_executor_execute", subscribers, arguments):
                await _steps(executor, table, place)
        else:
            await _steps(executor, table, place)
    except TaskPluginTriggerError as error:
        executor.result = await _result_from_plugins(executor, table, error)
    else:
        if table.task_executor_run_task or table.task_executor_run_task_gen:
            await _filtered(executor, table, converted=converted)


async def _filtered(executor: BaseTaskExecutor, table: TriggerTable, *, converted: bool) -> None:
    """Lets plugins replace what the function returned, or yielded.

    What they give has to be storable, unless something makes another value of it.
    """
    kind: Any = type(executor)
    is_last = not (
        converted
        or table.task_executor_after_execute_result_replace
        or table.task_executor_decode
        or executor.task_func.decode is not None
        or kind.decode not in {SyncTaskExecutor.decode, AsyncTaskExecutor.decode}
        or kind.after_execute
        not in {SyncTaskExecutor.after_execute, AsyncTaskExecutor.after_execute}
    )
    check = check_storable if is_last and executor.task_func.store_result else None
    if executor.task_func.generates:
        if subscribers := table.task_executor_run_task_gen:
            values = {"task_executor": executor, "results": executor.result}
            values = await emit.replace("task_executor_run_task_gen", subscribers, values, check)
            executor.result = values["results"]
    elif subscribers := table.task_executor_run_task:
        values = {"task_executor": executor, "result": executor.result}
        values = await emit.replace("task_executor_run_task", subscribers, values, check)
        executor.result = values["result"]


async def _steps(executor: BaseTaskExecutor, table: TriggerTable, place: Place) -> None:
    subscribers = table.task_executor_before_execute
    if not subscribers:
        await place.run(executor)
        return
    await place.prepare(executor)
    about = {"task_executor": executor}
    await emit.notify("task_executor_before_execute", subscribers, about)
    await place.body(executor)


async def _after(executor: Any, table: TriggerTable, place: Place) -> None:
    # The default of a thread does nothing: no way there and back.
    if type(executor).after_execute is not SyncTaskExecutor.after_execute:
        await place.call(executor.after_execute)
    if subscribers := table.task_executor_after_execute:
        about = {"task_executor": executor}
        await emit.notify("task_executor_after_execute", subscribers, about)
    if subscribers := table.task_executor_after_execute_result_replace:
        name = "task_executor_after_execute_result_replace"
        values = {"task_executor": executor, "result": executor.result}
        executor.result = (await emit.replace(name, subscribers, values))["result"]


async def _decoded(executor: Any, table: TriggerTable, place: Place) -> Any:
    task, kind = executor.task_func, type(executor)
    if task.decode is None and kind.decode is SyncTaskExecutor.decode:
        value = executor.result  # likewise
    else:
        value = await place.call(executor.decode)
    if subscribers := table.task_executor_decode:
        values = {"task_executor": executor, "result": value}
        check = check_storable if task.store_result else None
        value = (await emit.replace("task_executor_decode", subscribers, values, check))["result"]
    return value


async def _result_from_plugins(
    executor: BaseTaskExecutor, table: TriggerTable, error: TaskPluginTriggerError
) -> Any:
    """Returns the plugins' result for a task that asked for one, else raises its exception."""
    result = None
    if subscribers := table.task_executor_run_task_trigger_error:
        arguments = {**_about(executor), "e": error}
        name = "task_executor_run_task_trigger_error"
        result = await emit.last(name, subscribers, arguments)
    if result is None:
        raise error
    return result
