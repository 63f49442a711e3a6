"""From a decorated function to a registered task, with every check that needs no server."""

from __future__ import annotations

import difflib
import inspect
import sys
from typing import TYPE_CHECKING, Any, Final

from qtasks._core.binding import arity_of
from qtasks._core.bridge import is_async_callable
from qtasks._core.worker.processes import check_crossable
from qtasks.contracts.executor import AsyncTaskExecutor, BaseTaskExecutor, SyncTaskExecutor
from qtasks.contracts.names import check_name
from qtasks.exc import RegistrationError
from qtasks.schemas import TaskDefinition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.typing import Colour, Pool

__all__ = ["declare"]

#: The keywords of ``@app.task`` that are fields of the definition.
_KNOWN: Final = frozenset(TaskDefinition.__struct_fields__) - {
    "name",
    "func",
    "colour",
    "signature",
    "where",
    "extra",
}
_POOLS: Final[Mapping[Colour, tuple[Pool, ...]]] = {
    "coroutine": ("loop",),
    "function": ("thread", "process", "loop"),
}
_RETRY: Final = frozenset({"retry", "retry_on_exc"})
#: Words that mean something in QTasks and must not pass silently as free metadata.
_RESERVED: Final = frozenset(
    {"echo", "middlewares", "middlewares_after", "middlewares_before", "generate_handler"}
)


def declare(function: Any, name: Any, options: Mapping[str, Any]) -> TaskDefinition:
    """Makes the definition of a task.

    Args:
        function: the function.
        name: its name as a task; None takes the function's.
        options: the decorator's keywords; unknown ones become ``extra``.

    Raises:
        RegistrationError: something does not fit; the message says what and where.
    """
    if name is not None and not isinstance(name, str):
        msg = f"task(name={name!r}): a name is text; without parentheses decorate a function"
        raise RegistrationError(msg)
    where = _where(function)
    name = check_name("task", name if name is not None else getattr(function, "__name__", None))
    extra = {key: value for key, value in options.items() if key not in _KNOWN}
    _check_extra(name, extra)
    known = {key: value for key, value in options.items() if key in _KNOWN}
    colour = _colour(name, function)
    pool = _pool(name, colour, known.pop("pool", None))
    _check_values(name, known)
    signature = inspect.signature(function)
    task = TaskDefinition(
        name=name,
        func=function,
        colour=colour,
        pool=pool,
        signature=signature,
        arity=arity_of(signature),
        where=where,
        extra=extra,
        tags=tuple(known.pop("tags", ())),
        description=known.pop("description", "") or (inspect.getdoc(function) or "").split("\n")[0],
        **known,
    )
    _check_executor(task)
    if task.pool == "process":
        check_crossable(task)
    return task


def _colour(name: str, function: Any) -> Colour:
    if not callable(function) or inspect.isclass(function):
        msg = f"task {name!r}: {function!r} is no function; decorate a function"
        raise RegistrationError(msg)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        msg = f"task {name!r} is a generator; a task is a function or a coroutine function"
        raise RegistrationError(msg)
    return "coroutine" if inspect.iscoroutinefunction(function) else "function"


def _pool(name: str, colour: Colour, pool: Pool | None) -> Pool:
    allowed = _POOLS[colour]
    if pool is None:
        return allowed[0]
    if pool not in allowed:
        msg = f"task {name!r}: pool={pool!r}; a {colour} runs in {' or '.join(map(repr, allowed))}"
        raise RegistrationError(msg)
    return pool


def _check_extra(name: str, extra: Mapping[str, Any]) -> None:
    for key in extra:
        if key in _RETRY:
            msg = f"task {name!r}: {key}= needs a plugin: pip install qtasks-plugin-retry"
            raise RegistrationError(msg)
        if key in _RESERVED:
            msg = f"task {name!r}: {key}= is not supported by this version of qtasks-core"
            raise RegistrationError(msg)
        if close := difflib.get_close_matches(key, sorted(_KNOWN), n=1, cutoff=0.8):
            msg = f"task {name!r}: unknown option {key!r}, did you mean {close[0]!r}?"
            raise RegistrationError(msg)


def _check_values(name: str, options: Mapping[str, Any]) -> None:
    queue, max_time = options.get("queue"), options.get("max_time")
    priority, ack = options.get("priority"), options.get("ack", "group")
    if queue is not None:
        check_name("queue", queue)
    if max_time is not None and not (isinstance(max_time, int | float) and max_time > 0):
        msg = f"task {name!r}: max_time={max_time!r}; use seconds above 0, or None for no limit"
        raise RegistrationError(msg)
    if priority is not None and (not isinstance(priority, int) or not -128 <= priority <= 127):  # noqa: PLR2004 - the range of nice values
        msg = f"task {name!r}: priority={priority!r}; use a whole number from -128 to 127"
        raise RegistrationError(msg)
    if not isinstance(options.get("store_result", True), bool):
        msg = f"task {name!r}: store_result={options['store_result']!r}; use True or False"
        raise RegistrationError(msg)
    if ack not in ("group", "immediate"):
        msg = f"task {name!r}: ack={ack!r}; use 'group' or 'immediate'"
        raise RegistrationError(msg)


def _check_executor(task: TaskDefinition) -> None:
    executor: Any = task.executor
    if executor is None:
        return
    base = AsyncTaskExecutor if task.colour == "coroutine" else SyncTaskExecutor
    if not (isinstance(executor, type) and issubclass(executor, base)):
        msg = (
            f"task {task.name!r}: executor={executor!r}; a {task.colour} needs a subclass of"
            f" qtasks.executors.{base.__name__}"
        )
        raise RegistrationError(msg)
    for step in BaseTaskExecutor.STEPS:
        if is_async_callable(getattr(executor, step)) is not is_async_callable(getattr(base, step)):
            how = "async def" if base is AsyncTaskExecutor else "def"
            msg = f"task {task.name!r}: {executor.__name__}.{step} must be `{how}` in this executor"
            raise RegistrationError(msg)
    if task.pool == "process" and executor.run_task is not base.run_task:
        msg = (
            f"task {task.name!r}: {executor.__name__}.run_task cannot be overridden with"
            " pool='process', where only the function itself runs in the child"
        )
        raise RegistrationError(msg)


def _where(function: Any) -> str:
    try:
        code = inspect.unwrap(function).__code__
    except AttributeError:
        return getattr(sys.modules.get(type(function).__module__), "__file__", None) or "?"
    return f"{code.co_filename}:{code.co_firstlineno}"
