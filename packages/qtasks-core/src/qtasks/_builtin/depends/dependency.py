"""What users write: ``Depends(get_db)``."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from qtasks.exc import RegistrationError

__all__ = ["Dependency", "Depends", "ScopeEnum", "name_of"]

T = TypeVar("T")


class ScopeEnum(StrEnum):
    """How long the value of a dependency lives."""

    #: As long as the run of the task: each run has its own.
    TASK = "task"
    #: As long as the worker: all its runs share it.
    WORKER = "worker"
    #: As long as somebody works with the broker: all workers in the loop share it.
    BROKER = "broker"
    #: Likewise with the storage.
    STORAGE = "storage"
    #: Likewise with the shared configuration.
    GLOBAL_CONFIG = "global_config"


class Dependency:
    """How a parameter is filled in; ``Depends`` is its name for users.

    Args:
        dependency: makes the value: a function, coroutine function, generator, asynchronous
            generator, context manager or class. Its own parameters may be dependencies.
        scope: how long the value lives, also by its name.
        enter: whether a context manager that it returns is entered, so that the value is what
            ``with`` or ``async with`` gives.
        pool: ``"loop"`` calls a plain one on the loop of the worker; by default it runs in the
            thread of the task, or in one of the worker's for a coroutine.

    Raises:
        RegistrationError: an argument does not fit.
    """

    __slots__ = ("dependency", "enter", "pool", "scope")

    def __init__(
        self,
        dependency: Any,
        scope: ScopeEnum | str = ScopeEnum.TASK,
        *,
        enter: bool = True,
        pool: Literal["loop", "thread"] | None = None,
    ) -> None:
        if not callable(dependency) or isinstance(dependency, Dependency):
            msg = (
                f"Depends({dependency!r}): give what makes the value, a function or class; for a"
                " value that is there already, lambda: value"
            )
            raise RegistrationError(msg)
        if scope not in list(ScopeEnum):
            known = ", ".join(repr(str(one)) for one in ScopeEnum)
            msg = f"Depends({name_of(dependency)}, scope={scope!r}): use one of {known}"
            raise RegistrationError(msg)
        if pool not in (None, "loop", "thread"):
            msg = f"Depends({name_of(dependency)}, pool={pool!r}): use 'loop', 'thread' or None"
            raise RegistrationError(msg)
        self.dependency = dependency
        self.scope = ScopeEnum(scope)
        self.enter = enter
        self.pool = pool

    def __repr__(self) -> str:
        """Shows how it is written."""
        scope = "" if self.scope is ScopeEnum.TASK else f", scope={str(self.scope)!r}"
        return f"Depends({name_of(self.dependency)}{scope})"

    def __call__(self) -> None:
        """Says that it is no value; older Pythons want annotations to be callable.

        Raises:
            RegistrationError: always.
        """
        msg = f"{self!r} says how a parameter is filled in; it is not to be called"
        raise RegistrationError(msg)

    def key(self) -> Hashable:
        """Returns what two dependencies with the same value have in common."""
        try:
            hash(self.dependency)
        except TypeError:
            return id(self.dependency), self.scope, self.enter
        return self.dependency, self.scope, self.enter


def name_of(dependency: Any) -> str:
    """Returns how a callable is called in messages."""
    name = getattr(dependency, "__qualname__", None)
    return name.rpartition("<locals>.")[2] if isinstance(name, str) else repr(dependency)


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    # A checker takes it for the value, so that it can be the default of a parameter.
    @overload
    def Depends(
        dependency: Callable[..., AbstractAsyncContextManager[T]],
        scope: ScopeEnum | str = ...,
        *,
        enter: Literal[True] = ...,
        pool: Literal["loop", "thread"] | None = ...,
    ) -> T: ...
    @overload
    def Depends(
        dependency: Callable[..., AbstractContextManager[T]],
        scope: ScopeEnum | str = ...,
        *,
        enter: Literal[True] = ...,
        pool: Literal["loop", "thread"] | None = ...,
    ) -> T: ...
    @overload
    def Depends(
        dependency: Callable[..., AsyncIterator[T]],
        scope: ScopeEnum | str = ...,
        *,
        enter: bool = ...,
        pool: Literal["loop", "thread"] | None = ...,
    ) -> T: ...
    @overload
    def Depends(
        dependency: Callable[..., Iterator[T]],
        scope: ScopeEnum | str = ...,
        *,
        enter: bool = ...,
        pool: Literal["loop", "thread"] | None = ...,
    ) -> T: ...
    @overload
    def Depends(
        dependency: Callable[..., Awaitable[T]],
        scope: ScopeEnum | str = ...,
        *,
        enter: bool = ...,
        pool: Literal["loop", "thread"] | None = ...,
    ) -> T: ...
    @overload
    def Depends(
        dependency: Callable[..., T],
        scope: ScopeEnum | str = ...,
        *,
        enter: bool = ...,
        pool: Literal["loop", "thread"] | None = ...,
    ) -> T: ...
    def Depends(*_: Any, **__: Any) -> Any: ...  # noqa: N802 - as above
else:
    Depends = Dependency
