"""From the parameters of a task to what has to be made for it, with every check there is."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec

from qtasks._builtin.depends.dependency import Dependency, ScopeEnum, name_of
from qtasks._builtin.state.declared import BaseState
from qtasks.contracts.context import BaseContext
from qtasks.contracts.parameters import UnresolvedAnnotation, parameters_of
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qtasks.schemas import TaskDefinition

__all__ = ["CONFIG", "CTX", "Graph", "Node", "find_dependencies"]

#: What a dependency can ask for by the name of a parameter.
CTX: Final = "ctx"
CONFIG: Final = "config"
_SPECIAL: Final = (CTX, CONFIG)
_WRITTEN: Final = re.compile(r"\bDepends\b")
_MANY: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_EMPTY: Final = inspect.Parameter.empty


class Node(msgspec.Struct, frozen=True, eq=False):
    """One value that has to be made.

    Attributes:
        key: what it has in common with others that have the same value.
        function: makes it.
        scope: how long it lives.
        enter: whether a context manager is entered.
        on_loop: whether calling the function does not block.
        is_async: whether the function belongs on the loop, where it awaits.
        plain_on_loop: whether plain code of it runs on the loop.
        needs: what its parameters get: another value, or the name of something special.
        by_position: those of the parameters that cannot be passed by name.
    """

    key: Hashable
    function: Callable[..., Any]
    scope: ScopeEnum
    enter: bool
    on_loop: bool
    is_async: bool
    plain_on_loop: bool
    needs: Mapping[str, Node | str]
    by_position: tuple[str, ...]

    @property
    def name(self) -> str:
        """How it is called in messages."""
        return name_of(self.function)


def find_dependencies(task: TaskDefinition) -> dict[str, Dependency]:
    """Returns the parameters of a task that are dependencies.

    Raises:
        RegistrationError: one is written so that it cannot be told what is meant.
    """
    parameters = parameters_of(task.func)
    what = f"task {task.name!r}"
    known = task.signature.parameters.keys() | task.filled.keys()
    return {
        name: dependency
        for name, parameter in parameters.items()
        if name in known and (dependency := _dependency_of(parameter, what)) is not None
    }


class Graph:
    """Makes nodes; one for all parameters that have the same value.

    Args:
        what: whose they are, for messages.
        overrides: what takes the place of functions, for tests.
    """

    def __init__(self, what: str, overrides: Mapping[Any, Any]) -> None:
        self._what = what
        self._overrides = overrides
        self._nodes: dict[Hashable, Node] = {}
        self._path: list[tuple[Hashable, str]] = []

    def node(self, name: str, dependency: Dependency) -> Node:
        """Returns the node of a parameter.

        Raises:
            RegistrationError: it cannot be made; the message names the parameters on the way.
        """
        dependency = self._overridden(dependency)
        key = dependency.key()
        names = [each for _, each in self._path] + [name_of(dependency.dependency)]
        if any(key == before for before, _ in self._path):
            msg = f"{self._where(name)}: dependencies need each other: {' -> '.join(names)}"
            raise RegistrationError(msg)
        if key in self._nodes:
            return self._nodes[key]
        where = self._where(name)
        self._path.append((key, names[-1]))
        try:
            made = self._make(where, key, dependency)
        finally:
            self._path.pop()
        self._nodes[key] = made
        return made

    def _make(self, where: str, key: Hashable, dependency: Dependency) -> Node:
        function, needs, by_position = dependency.dependency, {}, []
        for word, parameter in parameters_of(function).items():
            need = self._need(word, parameter, dependency, where)
            if need is not None:
                needs[word] = need
                if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
                    by_position.append(word)
        is_async, on_loop = _colour(function)
        return Node(
            key=key,
            function=function,
            scope=dependency.scope,
            enter=dependency.enter,
            on_loop=on_loop,
            is_async=is_async,
            plain_on_loop=dependency.pool == "loop",
            needs=needs,
            by_position=tuple(by_position),
        )

    def _need(
        self, word: str, parameter: inspect.Parameter, dependency: Dependency, where: str
    ) -> Node | str | None:
        what = f"{where}: {name_of(dependency.dependency)}"
        inner = _dependency_of(parameter, what)
        if inner is not None:
            node = self.node(word, inner)
            if node.scope is ScopeEnum.TASK and dependency.scope is not ScopeEnum.TASK:
                raise _too_short(what, dependency, word, node)
            if node.scope is ScopeEnum.WORKER and dependency.scope not in (
                ScopeEnum.TASK,
                ScopeEnum.WORKER,
            ):
                raise _too_short(what, dependency, word, node)
            return node
        special = _special(word, parameter)
        if special == CTX and dependency.scope is not ScopeEnum.TASK:
            msg = (
                f"{what} has the scope {str(dependency.scope)!r} and lives longer than a run, so"
                f" there is no {word} for it: leave it out, or give it the scope 'task'"
            )
            raise RegistrationError(msg)
        if special is None and parameter.default is _EMPTY and parameter.kind not in _MANY:
            kind = parameter.annotation
            if isinstance(kind, type) and issubclass(kind, BaseState):
                msg = (
                    f"{what}: {word!r} is state, which only tasks can have: let the task take"
                    f" {kind.__name__}, and hand on what it says"
                )
                raise RegistrationError(msg)
            msg = (
                f"{what} has a parameter {word!r} that nobody fills in: give it a default, or"
                f" Depends(...); ctx and config are filled in by their names"
            )
            raise RegistrationError(msg)
        return special

    def _overridden(self, dependency: Dependency) -> Dependency:
        try:
            other = self._overrides.get(dependency.dependency)
        except TypeError:  # not hashable
            return dependency
        if other is None:
            return dependency
        if isinstance(other, Dependency):
            return other
        return Dependency(other, dependency.scope, enter=dependency.enter, pool=dependency.pool)

    def _where(self, name: str) -> str:
        way = " -> ".join(each for _, each in self._path)
        return f"{self._what}: {way} needs {name!r}" if way else f"{self._what}, parameter {name!r}"


def _too_short(what: str, dependency: Dependency, word: str, node: Node) -> RegistrationError:
    return RegistrationError(
        f"{what} has the scope {str(dependency.scope)!r} and needs {word!r}, which lives only as"
        f" long as its {node.scope}: give {name_of(dependency.dependency)} the scope"
        f" {str(node.scope)!r}, or {node.name} a longer one"
    )


def _dependency_of(parameter: inspect.Parameter, what: str) -> Dependency | None:
    """Returns the dependency that a parameter is, wherever it is written."""
    what = f"{what}, parameter {parameter.name!r}"
    annotation = parameter.annotation
    if isinstance(annotation, UnresolvedAnnotation) and _WRITTEN.search(annotation):
        msg = f"{what}: the annotation {annotation!s} cannot be read: {annotation.error}"
        raise RegistrationError(msg)
    found = list(_within(annotation))
    if not found and (inside := _deep_within(annotation)) is not None:
        msg = f"{what}: {inside!r} stands inside another type: write Annotated[..., {inside!r}]"
        raise RegistrationError(msg)
    if parameter.default is Dependency or isinstance(parameter.default, Dependency):
        found.append(parameter.default)
    if any(each is Dependency for each in found):
        msg = f"{what}: Depends without a function: write Depends(get_{parameter.name})"
        raise RegistrationError(msg)
    if len({id(each) for each in found}) > 1:
        msg = f"{what} is two dependencies, {found[0]!r} and {found[1]!r}; leave one"
        raise RegistrationError(msg)
    if found and parameter.kind in _MANY:
        msg = f"{what}: {parameter} takes many values, and a dependency is one"
        raise RegistrationError(msg)
    return found[0] if found else None


def _within(annotation: Any) -> Iterator[Any]:
    if annotation is Dependency or isinstance(annotation, Dependency):
        yield annotation
        return
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *beside = get_args(annotation)
        yield from _within(inner)
        yield from (each for each in beside if each is Dependency or isinstance(each, Dependency))
    elif origin in (Union, UnionType):
        for each in get_args(annotation):
            yield from _within(each)


def _deep_within(annotation: Any) -> Dependency | None:
    """Returns a dependency that stands where it says nothing, such as in the brackets of a list."""
    if isinstance(annotation, Dependency):
        return annotation
    given = annotation if isinstance(annotation, list | tuple) else get_args(annotation)
    if get_origin(annotation) is Literal:
        return None
    return next((found for each in given if (found := _deep_within(each)) is not None), None)


def _special(word: str, parameter: inspect.Parameter) -> str | None:
    annotation = parameter.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseContext):
        return CTX
    if parameter.kind in _MANY or parameter.default is not _EMPTY:
        return None
    return word if word in _SPECIAL else None


def _colour(function: Any) -> tuple[bool, bool]:
    """Tells whether a function is asynchronous, and whether calling it only makes something."""
    while isinstance(function, partial):
        function = function.func
    if inspect.isclass(function):
        is_async = hasattr(function, "__aenter__") or hasattr(function, "__await__")
        return is_async, is_async
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        function = getattr(type(function), "__call__", function)  # noqa: B004 - an object that is called
    inner = inspect.unwrap(function)  # of @asynccontextmanager, for example
    is_async = any(
        check(each)
        for each in (function, inner)
        for check in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    )
    return is_async, is_async or inspect.isgeneratorfunction(inner)
