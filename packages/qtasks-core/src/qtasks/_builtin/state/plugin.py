"""The plugin that fills in state."""

from __future__ import annotations

import inspect
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

import msgspec

from qtasks._builtin.state.bucket import Bucket
from qtasks._builtin.state.declared import BaseState
from qtasks._builtin.state.keys import key_text
from qtasks._builtin.state.states import AsyncState, State, StateKey, SyncState
from qtasks.contracts.on import on
from qtasks.contracts.parameters import parameters_of
from qtasks.contracts.plugin import Plugin
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qtasks.contracts.executor import BaseTaskExecutor
    from qtasks.schemas import TaskDefinition

__all__ = ["StatePlugin"]

#: Keeps the buckets of states apart from others.
_PREFIX: Final = "state"
_MANY: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class _Wanted(msgspec.Struct, frozen=True):
    """A parameter that gets a state.

    Attributes:
        kind: its class.
        keys: the parameters whose values say which state it is.
    """

    kind: Any
    keys: tuple[str, ...]


class StatePlugin(Plugin):
    """Fills in the parameters whose annotation is a class of state."""

    def __init__(self, name: str = "state") -> None:
        super().__init__(name)
        self._classes: dict[str, type[BaseState]] = {}
        self._wanted: dict[str, tuple[TaskDefinition, dict[str, _Wanted]]] = {}

    def applies(self, task: TaskDefinition) -> bool:
        """Tells whether a task has state.

        Args:
            task: the task.
        """
        return self.name in task.filled.values()

    def fills(self, task: TaskDefinition) -> Iterable[str]:
        """Names the parameters that are state.

        Args:
            task: the task.

        Raises:
            RegistrationError: its class does not go with the task.
        """
        wanted = _find(task)
        for name, one in wanted.items():
            what = f"task {task.name!r}, parameter {name!r}"
            _check_colour(task, what, one.kind)
            _check_keys(task, what, one.keys, wanted)
            one.kind.declared.check_names()
            self._check_bucket(what, one.kind)
        return tuple(wanted)

    @on("task_executor_fill")
    def fill(self, worker: Any, task_executor: BaseTaskExecutor) -> dict[str, Any]:
        """Makes what the function works with; nothing is read yet."""
        task = task_executor.task_func
        known = self._wanted.get(task.name)
        if known is None or known[0] is not task:
            known = self._wanted[task.name] = (task, _find(task))
        values = {}
        arguments: Mapping[str, Any] | None = None
        for name, wanted in known[1].items():
            parts = [_PREFIX, wanted.kind.declared.bucket]
            if wanted.keys:
                if arguments is None:
                    arguments = _arguments(task_executor)
                parts += [key_text(task.name, key, arguments[key]) for key in wanted.keys]
            values[name] = wanted.kind(
                Bucket(
                    worker.broker.storage,
                    ":".join(parts),
                    wanted.kind.declared,
                    awaits=task.is_async,
                    limit=worker.config.max_payload,
                )
            )
        return values

    def _check_bucket(self, what: str, kind: type[BaseState]) -> None:
        other = self._classes.setdefault(kind.declared.bucket, kind)
        if other is kind or (kind.declared.is_named and other.declared.is_named):
            return
        msg = (
            f"{what}: {_full_name(kind)} and {_full_name(other)} would be one state, because both"
            f" are called {kind.declared.bucket!r}: say class {kind.__name__}(...,"
            ' bucket="...") with another name, or the same for both'
        )
        raise RegistrationError(msg)


def _find(task: TaskDefinition) -> dict[str, _Wanted]:
    known = task.signature.parameters.keys() | task.filled.keys()
    found = {}
    for name, parameter in parameters_of(task.func).items():
        kind, keys = _within(parameter.annotation)
        _check_written(f"task {task.name!r}, parameter {name!r}", parameter.annotation, kind)
        if name in known and kind is not None:
            if parameter.kind in _MANY:
                msg = f"task {task.name!r}: {parameter} takes many values, and a state is one"
                raise RegistrationError(msg)
            found[name] = _Wanted(kind, keys)
    return found


def _within(annotation: Any) -> tuple[type[BaseState] | None, tuple[str, ...]]:
    """Returns the class of state in an annotation, and its keys."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *beside = get_args(annotation)
        kind, keys = _within(inner)
        more = [name for each in beside if isinstance(each, StateKey) for name in each.parameters]
        return kind, (*keys, *more)
    if origin in (Union, UnionType):
        for each in get_args(annotation):
            kind, keys = _within(each)
            if kind is not None:
                return kind, keys
    if isinstance(annotation, type) and issubclass(annotation, BaseState):
        return annotation, ()
    return None, ()


def _check_written(what: str, annotation: Any, kind: type[BaseState] | None) -> None:
    beside = getattr(annotation, "__metadata__", ())
    if StateKey in beside:
        msg = f"{what}: StateKey without a parameter: write StateKey('user_id')"
        raise RegistrationError(msg)
    keys = [each for each in beside if isinstance(each, StateKey)]
    if keys and kind is None:
        beside_what = getattr(annotation, "__origin__", annotation)
        msg = (
            f"{what}: {keys[0]!r} stands beside {beside_what!r}, which is no class of state: derive"
            " it from State, AsyncState or SyncState, without quotes"
        )
        raise RegistrationError(msg)


def _check_colour(task: TaskDefinition, what: str, kind: type[BaseState]) -> None:
    name = kind.__qualname__
    if task.pool == "process":
        msg = f"{what}: {name} cannot cross to another process: use pool='thread'"
    elif task.is_async and issubclass(kind, SyncState):
        msg = f"{what}: {name} blocks, and the task awaits: derive it from AsyncState or State"
    elif not task.is_async and issubclass(kind, AsyncState):
        msg = (
            f"{what}: {name} has to be awaited, which a plain function cannot: derive it from"
            " SyncState or State, or write async def"
        )
    elif not task.is_async and task.pool == "loop":
        msg = f"{what}: {name} blocks, and pool='loop' runs on the loop: use pool='thread'"
    elif not issubclass(kind, AsyncState | SyncState | State):
        msg = f"{what}: {name} has no methods: derive it from AsyncState, SyncState or State"
    else:
        return
    raise RegistrationError(msg)


def _check_keys(
    task: TaskDefinition, what: str, keys: Iterable[str], wanted: Mapping[str, _Wanted]
) -> None:
    for key in keys:
        parameter = task.signature.parameters.get(key)
        if parameter is None or parameter.kind in _MANY or key in wanted:
            names = [
                name
                for name, one in task.signature.parameters.items()
                if one.kind not in _MANY and name not in wanted
            ]
            msg = (
                f"{what}: StateKey({key!r}) names no parameter that calls give; they give"
                f" {', '.join(names) or 'none'}"
            )
            raise RegistrationError(msg)


def _arguments(executor: BaseTaskExecutor) -> Mapping[str, Any]:
    bound = executor.task_func.signature.bind(*executor.args, **executor.kwargs)
    bound.apply_defaults()
    return bound.arguments


def _full_name(kind: type[Any]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
