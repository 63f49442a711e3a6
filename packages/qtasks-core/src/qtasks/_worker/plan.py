"""The plan of a run: what a task's declaration and the app's middlewares come to, decided once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import msgspec

from qtasks._runtime.bridge import is_async_callable
from qtasks._worker.filling import Layout
from qtasks._worker.places import (
    BareCoroutine,
    BareFunction,
    BareThread,
    HeardThread,
    OneThread,
    OnLoop,
    Place,
    PlainOnLoop,
    Processes,
)
from qtasks.contracts.executor import AsyncTaskExecutor, BaseTaskExecutor, SyncTaskExecutor
from qtasks.contracts.middleware import TaskMiddleware
from qtasks.schemas import TaskDefinition

__all__ = ["Middleware", "Plan", "Plans", "executor_base"]


class Middleware(msgspec.Struct, frozen=True):
    """A middleware as declared, with what is to be known before it is called.

    Attributes:
        make: the class, or a partial of it with its options.
        name: the name of the class, for messages.
        is_async: whether it belongs on the loop.
    """

    make: Callable[[BaseTaskExecutor], TaskMiddleware]
    name: str
    is_async: bool


class Plan(msgspec.Struct, frozen=True):
    """How runs of one task go.

    Attributes:
        task: the task.
        executor: the class of their executor.
        base: what every executor of theirs derives from.
        place: where their steps run.
        heard: where they run if plugins listen to them, which may want the thread of the task.
        bare: whether there is nothing but the function: no steps, no middlewares, no ``decode=``.
        attended: whether runs look at themselves, or give values before their end.
        before: middlewares before the function, in order.
        after: middlewares after it, in order.
        layout: where filled parameters go among the arguments; None if there are none.
    """

    task: TaskDefinition
    executor: type[BaseTaskExecutor]
    base: type[BaseTaskExecutor]
    place: type[Place]
    heard: type[Place]
    bare: bool
    attended: bool
    before: tuple[Middleware, ...]
    after: tuple[Middleware, ...]
    layout: Layout | None = None


class Plans:
    """The plans of an app's tasks, made when they are first needed, and its own middlewares."""

    def __init__(self) -> None:
        self._plans: dict[str, Plan] = {}
        self._before: tuple[Middleware, ...] = ()
        self._after: tuple[Middleware, ...] = ()

    def add(self, middleware: Any, position: Literal["before", "after"]) -> None:
        """Adds a middleware, which must have been checked, to every task of the app."""
        if position == "before":
            self._before += (_compiled(middleware),)
        else:
            self._after += (_compiled(middleware),)
        self._plans = {}

    def plan_for(self, task: TaskDefinition) -> Plan:
        """Returns the plan of a task; those of the app stand around those of the task."""
        plan = self._plans.get(task.name)
        if plan is None or plan.task is not task:  # a plugin may run another one of the name
            plan = self._plans[task.name] = self._make(task)
        return plan

    def _make(self, task: TaskDefinition) -> Plan:
        before = self._before + tuple(map(_compiled, task.middlewares_before))
        after = tuple(map(_compiled, task.middlewares_after)) + self._after
        bare = not (before or after or task.executor or task.decode or task.generates)
        bare = bare and not task.filled
        attended = task.echo or task.generates or bool(task.filled)
        base = executor_base(task)
        layout = Layout(task) if task.filled else None
        place = _place(task, bare=bare)
        heard = HeardThread if place is BareThread else place
        executor = task.executor or base
        return Plan(task, executor, base, place, heard, bare, attended, before, after, layout)


def executor_base(task: TaskDefinition) -> type[BaseTaskExecutor]:
    """Returns the class that executors of a task derive from."""
    return AsyncTaskExecutor if task.is_async else SyncTaskExecutor


def _place(task: TaskDefinition, *, bare: bool) -> type[Place]:
    if task.pool == "process":
        return Processes
    if task.pool == "thread":
        return BareThread if bare else OneThread
    if not bare:
        return OnLoop if task.is_async else PlainOnLoop
    return BareCoroutine if task.is_async else BareFunction


def _compiled(middleware: Any) -> Middleware:
    kind: Any = middleware.func if isinstance(middleware, partial) else middleware
    return Middleware(middleware, kind.__qualname__, is_async_callable(kind.__call__))
