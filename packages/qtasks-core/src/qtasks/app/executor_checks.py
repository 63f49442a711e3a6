"""Whether a class can be the executor of a task."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from qtasks._runtime.bridge import is_async_callable
from qtasks._worker.plan import executor_base
from qtasks.contracts.executor import AsyncTaskExecutor, BaseTaskExecutor
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from qtasks.schemas import TaskDefinition

__all__ = ["check_executor"]

#: What QTasks 1.7 let executors override, and what is the engine's here.
_ENGINES: Final = (
    "execute",
    "execute_middlewares",
    "execute_middlewares_before",
    "execute_middlewares_after",
    "_build_args_info",
    "_plugin_trigger",
)


def check_executor(task: TaskDefinition) -> None:
    """Checks that the executor of a task is a class whose steps will run as they are written.

    Raises:
        RegistrationError: it is not; the message says what does not fit.
    """
    executor: Any = task.executor
    if executor is None:
        return
    base = executor_base(task)
    if not (isinstance(executor, type) and issubclass(executor, base)):
        given = "an instance" if isinstance(executor, BaseTaskExecutor) else "it"
        why = f"; {given} is no class" if not isinstance(executor, type) else ""
        msg = (
            f"task {task.name!r}: executor={executor!r}{why}; a {task.colour} needs a subclass of"
            f" qtasks.executors.{base.__name__}"
        )
        raise RegistrationError(msg)
    _check_class(task, executor)
    for name in _ENGINES:
        if hasattr(executor, name):
            steps = ", ".join(BaseTaskExecutor.STEPS)
            msg = (
                f"task {task.name!r}: {executor.__name__}.{name} would never be called, because"
                f" that part belongs to the engine; the steps to override are {steps}"
            )
            raise RegistrationError(msg)
    for step in BaseTaskExecutor.STEPS:
        _check_step(task, executor, step)
    _check_pool(task, executor)


def _check_class(task: TaskDefinition, executor: type[Any]) -> None:
    if missing := sorted(getattr(executor, "__abstractmethods__", ())):
        msg = f"task {task.name!r}: {executor.__name__} is abstract, it lacks {', '.join(missing)}"
        raise RegistrationError(msg)
    signature = inspect.signature(executor)
    try:
        signature.bind("task_func", "task_broker")
    except TypeError as error:
        msg = (
            f"task {task.name!r}: {executor.__name__}{signature} cannot be called with"
            f" (task_func, task_broker): {error}; give other parameters a default"
        )
        raise RegistrationError(msg) from None


def _check_step(task: TaskDefinition, executor: type[Any], step: str) -> None:
    function = getattr(executor, step)
    plain = not is_async_callable(function)
    if plain is issubclass(executor, AsyncTaskExecutor):
        how = "def" if not plain else "async def"
        msg = f"task {task.name!r}: {executor.__name__}.{step} must be `{how}` in this executor"
        raise RegistrationError(msg)
    if not inspect.isfunction(inspect.getattr_static(executor, step)):
        msg = f"task {task.name!r}: {executor.__name__}.{step} must be a method"
        raise RegistrationError(msg)
    try:
        inspect.signature(function).bind("self")
    except TypeError as error:
        msg = (
            f"task {task.name!r}: {executor.__name__}.{step} is called with self alone: {error};"
            " read self.args, self.kwargs and self.result"
        )
        raise RegistrationError(msg) from None


def _check_pool(task: TaskDefinition, executor: Any) -> None:
    base: Any = executor_base(task)
    body, other = ("run_task_gen", "run_task")[:: 1 if task.generates else -1]
    own = getattr(executor, body) is not getattr(base, body)
    if not own and getattr(executor, other) is not getattr(base, other):
        msg = (
            f"task {task.name!r}: {executor.__name__}.{other} would never be called, because the"
            f" task is a {task.colour}: override {body}"
        )
        raise RegistrationError(msg)
    if task.pool == "process" and own:
        msg = (
            f"task {task.name!r}: {executor.__name__}.{body} cannot be overridden with"
            " pool='process', where only the function itself runs in the child"
        )
        raise RegistrationError(msg)
    own_decode = base is not AsyncTaskExecutor and executor.decode is not base.decode
    if own_decode and is_async_callable(task.decode):
        msg = (
            f"task {task.name!r}: {executor.__name__}.decode is plain and cannot await the"
            " asynchronous decode=; use one of the two"
        )
        raise RegistrationError(msg)
