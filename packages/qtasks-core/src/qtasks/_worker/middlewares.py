"""Calls middlewares, and puts the executors they return in the place of the one they got."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtasks.contracts.executor import BaseTaskExecutor, SyncTaskExecutor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtasks._worker.places import Place
    from qtasks._worker.plan import Middleware, Plan

__all__ = ["call_middlewares"]


async def call_middlewares(
    plan: Plan, middlewares: Iterable[Middleware], executor: BaseTaskExecutor, place: Place
) -> BaseTaskExecutor:
    """Calls middlewares in order, each with the executor that the one before left.

    Args:
        plan: the plan of the run.
        middlewares: those before or those after the function.
        executor: the executor so far.
        place: where plain middlewares are called; the others are called on the loop.

    Raises:
        TypeError: one of them returned what cannot run the task.
    """
    for middleware in middlewares:
        if middleware.is_async:
            await place.take()
            answer = await middleware.make(executor)()
        else:
            answer = await place.call(partial(_call, middleware, executor))
        if answer is not None and answer is not executor:
            _check(plan, middleware, answer)
            _inherit(answer, executor)
            executor = answer
    return executor


def _call(middleware: Middleware, executor: BaseTaskExecutor) -> Any:
    return middleware.make(executor)()


def _check(plan: Plan, middleware: Middleware, answer: Any) -> None:
    if not isinstance(answer, plan.base):
        msg = (
            f"middleware {middleware.name} returned {answer!r:.200}; return None, or an executor"
            f" of a class that derives from qtasks.executors.{plan.base.__name__}"
        )
        raise TypeError(msg)
    kind: Any = type(answer)
    if answer.task_func.pool == "process" and kind.run_task is not SyncTaskExecutor.run_task:
        msg = (
            f"middleware {middleware.name} returned an executor whose run_task is overridden, but"
            " with pool='process' only the function itself runs in the child"
        )
        raise TypeError(msg)


def _inherit(executor: BaseTaskExecutor, before: BaseTaskExecutor) -> None:
    """Gives a new executor what nobody gave it: it knows the task, but not yet this run."""
    for name in ("args", "kwargs", "result"):
        if name not in vars(executor):
            setattr(executor, name, getattr(before, name))
