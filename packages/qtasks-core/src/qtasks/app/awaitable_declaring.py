"""How tasks are declared where they are added from asynchronous code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Callable,
        Coroutine,
        Generator,
        Iterator,
        Mapping,
        Sequence,
    )
    from datetime import timedelta

    from qtasks.app.awaitable_task import (
        AsyncTask,
        AsyncTaskDecorator,
        AsyncTaskEchoDecorator,
    )
    from qtasks.contracts.executor import BaseTaskExecutor
    from qtasks.contracts.middleware import TaskMiddleware
    from qtasks.schemas import Uniqueness
    from qtasks.typing import Pool

__all__ = ["AwaitableDeclaring"]

P = ParamSpec("P")
R = TypeVar("R")


class AwaitableDeclaring(ABC):
    """The decorator ``task`` of apps and routers."""

    @overload
    def task(
        self, name: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R, Coroutine[Any, Any, R]]: ...
    @overload
    def task(
        self, name: Callable[P, AsyncIterator[R]], /
    ) -> AsyncTask[P, list[R], AsyncIterator[R]]: ...
    @overload
    def task(
        self, name: Callable[P, Generator[R, Any, None]], /
    ) -> AsyncTask[P, list[R], Generator[R, Any, None]]: ...
    @overload
    def task(  # type: ignore[overload-overlap]  # what a generator returns is its result
        self, name: Callable[P, Generator[Any, Any, R]], /
    ) -> AsyncTask[P, R, Generator[Any, Any, R]]: ...
    @overload
    def task(self, name: Callable[P, Iterator[R]], /) -> AsyncTask[P, list[R], Iterator[R]]: ...
    @overload
    def task(self, name: Callable[P, R], /) -> AsyncTask[P, R, R]: ...
    @overload
    def task(
        self,
        name: str | None = None,
        *,
        echo: Literal[False] = ...,
        queue: str = ...,
        priority: int | None = ...,
        unique: Uniqueness = ...,
        expires: float | timedelta | None = ...,
        max_time: float | None = ...,
        pool: Pool | None = ...,
        store_result: bool = ...,
        ack: Literal["group", "immediate"] = ...,
        executor: type[BaseTaskExecutor] | None = ...,
        middlewares_before: Sequence[Callable[[Any], TaskMiddleware]] = ...,
        middlewares_after: Sequence[Callable[[Any], TaskMiddleware]] = ...,
        decode: Callable[[Any], Any] | None = ...,
        generate_handler: Callable[[Any], Any] | None = ...,
        stream: bool = ...,
        validate: bool = ...,
        description: str = ...,
        tags: Sequence[str] = ...,
        **extra: Any,
    ) -> AsyncTaskDecorator: ...
    @overload
    def task(
        self,
        name: str | None = None,
        *,
        echo: Literal[True],
        queue: str = ...,
        priority: int | None = ...,
        unique: Uniqueness = ...,
        expires: float | timedelta | None = ...,
        max_time: float | None = ...,
        pool: Pool | None = ...,
        store_result: bool = ...,
        ack: Literal["group", "immediate"] = ...,
        executor: type[BaseTaskExecutor] | None = ...,
        decode: Callable[[Any], Any] | None = ...,
        generate_handler: Callable[[Any], Any] | None = ...,
        stream: bool = ...,
        validate: bool = ...,
        description: str = ...,
        tags: Sequence[str] = ...,
        **extra: Any,
    ) -> AsyncTaskEchoDecorator: ...
    def task(self, name: Any = None, **options: Any) -> Any:
        """Registers a function as a task; with or without parentheses.

        Args:
            name: its name; by default the function's.
            **options: fields of :class:`~qtasks.schemas.TaskDefinition`; unknown ones are kept
                as ``extra`` for plugins.

        Raises:
            RegistrationError: name or options do not fit, or the name is taken.
        """
        if callable(name):
            return self._make_task(name, None, options)
        return lambda function: self._make_task(function, name, options)

    @abstractmethod
    def _make_task(self, function: Any, name: str | None, options: Mapping[str, Any]) -> Any:
        """Registers a function and returns its task object."""
