"""From a decorated function to a registered task, with every check that needs no server."""

from __future__ import annotations

import difflib
import inspect
import math
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks._core.binding import arity_of
from qtasks._core.unique import check_unique, make_unique
from qtasks._runtime.bridge import is_async_callable
from qtasks._runtime.seconds import seconds_of
from qtasks._typed.builtin import builtin_converter
from qtasks._typed.hints import signature_of
from qtasks._typed.task_types import TaskTypes
from qtasks._worker.processes import check_crossable
from qtasks.app.executor_checks import check_executor
from qtasks.app.filling import fills_without_app
from qtasks.app.middleware_checks import check_middlewares
from qtasks.contracts.injected import refuse_uninjected
from qtasks.contracts.names import check_name
from qtasks.exc import RegistrationError
from qtasks.schemas import TaskDefinition

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Mapping

    from qtasks._typed.plans import Finder
    from qtasks.typing import Colour, Pool

__all__ = ["declare"]

#: The keywords of ``@app.task`` that are fields of the definition.
_KNOWN: Final = frozenset(TaskDefinition.__struct_fields__) - {
    "name",
    "func",
    "colour",
    "signature",
    "max_attempts",
    "types",
    "filled",
    "where",
    "extra",
}
_POOLS: Final[Mapping[Colour, tuple[Pool, ...]]] = {
    "coroutine": ("loop",),
    "async_generator": ("loop",),
    "function": ("thread", "process", "loop"),
    "generator": ("thread", "process", "loop"),
}
#: The kinds of parameter that can take the running task.
_TAKES_ECHO: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)
_RETRY: Final = frozenset({"retry", "retry_on_exc"})


def _is_number(value: Any, kinds: type | types.UnionType) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


#: What the values of options must be: a test, and how the message puts it.
_VALUES: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "max_time": (
        lambda value: value is None or (_is_number(value, int | float) and 0 < value < math.inf),
        "seconds above 0, or None for no limit",
    ),
    "priority": (
        lambda value: value is None or (_is_number(value, int) and -128 <= value <= 127),  # noqa: PLR2004 - the range of nice values
        "a whole number from -128 to 127",
    ),
    "expires": (
        lambda value: value is None or seconds_of(value) is not None,
        "seconds from 0 up, a timedelta, or None for no limit",
    ),
    "store_result": (lambda value: isinstance(value, bool), "True or False"),
    "ack": (lambda value: value in ("group", "immediate"), "'group' or 'immediate'"),
    "decode": (
        lambda value: value is None or callable(value),
        "a function that takes the result, or None",
    ),
    "generate_handler": (
        lambda value: value is None or callable(value),
        "a function that takes a yielded value, or None",
    ),
    "stream": (lambda value: isinstance(value, bool), "True or False"),
    "validate": (lambda value: isinstance(value, bool), "True or False"),
    "description": (lambda value: isinstance(value, str), "text"),
    "tags": (
        lambda value: (
            not isinstance(value, str)
            and isinstance(value, Iterable)
            and all(isinstance(tag, str) for tag in value)
        ),
        "a list of texts",
    ),
}
#: Options that only generators have a use for.
_GENERATORS: Final = ("generate_handler", "stream")
#: The name that QTasks 1.5 had for ``middlewares_before``.
_OLD: Final = "middlewares"


def declare(
    function: Any,
    name: Any,
    options: Mapping[str, Any],
    declared: Callable[[], Mapping[str, Callable[[Any], object]]] = dict,
    *,
    find: Finder = builtin_converter,
    fills: Callable[[TaskDefinition], Mapping[str, str]] = fills_without_app,
    obtain: Callable[[str], str] = "pip install {}".format,
) -> TaskDefinition:
    """Makes the definition of a task.

    Args:
        function: the function.
        name: its name as a task; None takes the function's.
        options: the decorator's keywords; unknown ones become ``extra``.
        declared: returns the keywords that plugins declare, and their checks; called only if
            there are unknown ones.
        find: asks the plugins about types.
        fills: returns the parameters that plugins fill in, and by which of them.
        obtain: takes the name of a package whose plugin is needed and not used, and says what to
            do about it.

    Raises:
        RegistrationError: something does not fit; the message says what and where.
    """
    if name is not None and not isinstance(name, str):
        msg = f"task(name={name!r}): a name is text; without parentheses decorate a function"
        raise RegistrationError(msg)
    where = _where(function)
    name = check_name("task", name if name is not None else getattr(function, "__name__", None))
    options = _with_middlewares(name, options)
    extra = {key: value for key, value in options.items() if key not in _KNOWN}
    if extra:
        _check_extra(name, extra, declared(), obtain)
    known = {key: value for key, value in options.items() if key in _KNOWN}
    colour = _colour(name, function)
    pool = _pool(name, colour, known.pop("pool", None))
    _check_values(name, known)
    _check_generator(name, colour, pool, known)
    unique = make_unique(known.pop("unique", None))
    signature = _signature(name, function, pool, echo=known.get("echo", False))
    task = TaskDefinition(
        name=name,
        func=refuse_uninjected(function, name),
        colour=colour,
        pool=pool,
        signature=signature,
        arity=arity_of(signature),
        unique=unique,
        where=where,
        extra=extra,
        tags=tuple(known.pop("tags", ())),
        description=known.pop("description", "") or (inspect.getdoc(function) or "").split("\n")[0],
        **known,
    )
    if filled := fills(task):
        task = _without(task, function, filled)
    if unique is not None and (wrong := check_unique(unique, task.signature)):
        msg = f"task {name!r}: unique={unique.by!r}: {wrong}"
        raise RegistrationError(msg)
    check_executor(task)
    if task.pool == "process":
        check_crossable(task)
    types = TaskTypes(
        name,
        function,
        task.signature,
        colour,
        find,
        validate=task.validate,
        replaced=bool(task.decode or task.generate_handler),
    )
    return msgspec.structs.replace(task, types=types)


def _without(task: TaskDefinition, function: Any, filled: Mapping[str, str]) -> TaskDefinition:
    """Returns a task that is called without the parameters that plugins fill in."""
    left = [one for one in task.signature.parameters.values() if one.name not in filled]
    signature = task.signature.replace(parameters=left)
    return msgspec.structs.replace(
        task,
        func=refuse_uninjected(function, task.name, filled),
        signature=signature,
        arity=arity_of(signature),
        filled=filled,
    )


def _colour(name: str, function: Any) -> Colour:
    if not callable(function) or inspect.isclass(function):
        msg = f"task {name!r}: {function!r} is no function; decorate a function"
        raise RegistrationError(msg)
    if inspect.isasyncgenfunction(function):
        return "async_generator"
    if inspect.isgeneratorfunction(function):
        return "generator"
    return "coroutine" if inspect.iscoroutinefunction(function) else "function"


def _check_generator(name: str, colour: Colour, pool: Pool, options: Mapping[str, Any]) -> None:
    """Checks the options that only generators have a use for."""
    if colour not in ("generator", "async_generator"):
        for key in _GENERATORS:
            if key in options:
                msg = (
                    f"task {name!r}: {key}= is for generators, and this is a {colour}: use yield in"
                    " the function, or leave it out"
                )
                raise RegistrationError(msg)
    elif (
        colour == "generator"
        and pool == "loop"
        and is_async_callable(options.get("generate_handler"))
    ):
        msg = (
            f"task {name!r}: an asynchronous generate_handler cannot be awaited between the values"
            " of a plain generator with pool='loop': use pool='thread', or an async generator"
        )
        raise RegistrationError(msg)


def _signature(name: str, function: Any, pool: Pool, *, echo: Any) -> inspect.Signature:
    """Returns what calls are checked against: an echo task's first argument is not the call's."""
    signature = signature_of(function)
    if not isinstance(echo, bool):
        msg = f"task {name!r}: echo={echo!r}; use True or False"
        raise RegistrationError(msg)
    if not echo:
        return signature
    if pool == "process":
        msg = (
            f"task {name!r}: echo=True hands the running task to the function, which cannot cross"
            " to another process: use pool='thread', or leave echo out"
        )
        raise RegistrationError(msg)
    first = next(iter(signature.parameters.values()), None)
    if first is None or first.kind not in _TAKES_ECHO:
        msg = (
            f"task {name!r}: echo=True hands the running task to the function as its first"
            f" argument, and {name}{signature} has no parameter for it: write"
            f" {name}(self, ...), or leave echo out"
        )
        raise RegistrationError(msg)
    if first.kind is inspect.Parameter.VAR_POSITIONAL:
        return signature
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _pool(name: str, colour: Colour, pool: Pool | None) -> Pool:
    allowed = _POOLS[colour]
    if pool is None:
        return allowed[0]
    if pool not in allowed:
        kind = f"{'an' if colour[0] == 'a' else 'a'} {colour.replace('_', ' ')}"
        msg = f"task {name!r}: pool={pool!r}; {kind} runs in {' or '.join(map(repr, allowed))}"
        raise RegistrationError(msg)
    return pool


def _with_middlewares(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Checks lists of middlewares; those of the old name come first before the function."""
    options = dict(options)
    for option in ("middlewares_before", "middlewares_after", _OLD):
        if option in options:
            options[option] = check_middlewares(f"task {name!r}, {option}", options[option])
    if old := options.pop(_OLD, ()):
        options["middlewares_before"] = (*old, *options.get("middlewares_before", ()))
    return options


def _check_extra(
    name: str,
    extra: Mapping[str, Any],
    declared: Mapping[str, Callable[[Any], object]],
    obtain: Callable[[str], str],
) -> None:
    for key, value in extra.items():
        if key in declared:
            _check_declared(name, key, value, declared[key])
            continue
        if key in _RETRY:
            msg = f"task {name!r}: {key}= needs a plugin: {obtain('qtasks-plugin-retry')}"
            raise RegistrationError(msg)
        if meant := _meant(key, sorted({*_KNOWN, *_RETRY, *declared, _OLD})):
            msg = f"task {name!r}: unknown option {key!r}, did you mean {meant!r}?"
            raise RegistrationError(msg)


def _meant(key: str, names: list[str]) -> str | None:
    """Returns the option that a word is a misspelling of, or None.

    Two letters that changed places are one even in a short word, which resembles the right one
    less than ``team`` does ``stream``.
    """
    for name in names:
        if sorted(name) == sorted(key):
            return name
    return next(iter(difflib.get_close_matches(key, names, n=1, cutoff=0.82)), None)


def _check_declared(name: str, key: str, value: Any, check: Callable[[Any], object]) -> None:
    try:
        check(value)
    except (TypeError, ValueError) as error:
        msg = f"task {name!r}: {key}={value!r}; {error}"
        raise RegistrationError(msg) from None


def _check_values(name: str, options: Mapping[str, Any]) -> None:
    if (queue := options.get("queue")) is not None:
        check_name("queue", queue)
    for key, (fits, how) in _VALUES.items():
        if key in options and not fits(options[key]):
            msg = f"task {name!r}: {key}={options[key]!r}; use {how}"
            raise RegistrationError(msg)


def _where(function: Any) -> str:
    try:
        code = inspect.unwrap(function).__code__
    except AttributeError:
        return getattr(sys.modules.get(type(function).__module__), "__file__", None) or "?"
    return f"{code.co_filename}:{code.co_firstlineno}"
