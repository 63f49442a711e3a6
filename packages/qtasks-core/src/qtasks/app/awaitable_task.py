"""The task objects of asynchronous apps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, Protocol, overload

from typing_extensions import ParamSpec, TypeVar

from qtasks.app.task import BaseTask, C, make_options
from qtasks.contracts.context import AsyncContext
from qtasks.schemas import CallOptions, TaskCall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator, Mapping
    from datetime import datetime, timedelta
    from uuid import UUID

    from qtasks.app.awaitable import QueueTasks
    from qtasks.app.handles import AsyncTaskHandle
    from qtasks.schemas import TaskDefinition, Uniqueness

__all__ = [
    "AsyncBoundTask",
    "AsyncSkippingTask",
    "AsyncTask",
    "AsyncTaskDecorator",
    "AsyncTaskEchoDecorator",
]

P = ParamSpec("P", default=...)
R = TypeVar("R", default=Any)


class AsyncBoundTask(Generic[P, R]):
    """A task with options for its calls; all keywords of the calls are the task's own."""

    def __init__(self, task: AsyncTask[P, R, Any], options: CallOptions) -> None:
        self._task = task
        self._options = options

    def options(self, **options: Any) -> AsyncBoundTask[P, R]:
        """Adds or replaces options."""
        return AsyncBoundTask(self._task, make_options(self._options, options))

    async def add_task(self, *args: P.args, **kwargs: P.kwargs) -> AsyncTaskHandle[R]:
        """Adds a call to the queue."""
        return await self._task._app._add(self.build(*args, **kwargs))  # noqa: SLF001 - one concept, two classes

    def build(self, *args: P.args, **kwargs: P.kwargs) -> TaskCall:
        """Makes a call for ``app.add_tasks``."""
        return self._task._call(args, kwargs, self._options)  # noqa: SLF001 - one concept, two classes


class AsyncSkippingTask(Generic[P, R]):
    """A task whose calls are not added, and have no handle, while another holds their key."""

    def __init__(self, task: AsyncTask[P, R, Any], options: CallOptions) -> None:
        self._task = task
        self._options = options

    def options(self, **options: Any) -> AsyncSkippingTask[P, R]:
        """Adds or replaces options."""
        return AsyncSkippingTask(self._task, make_options(self._options, options))

    async def add_task(self, *args: P.args, **kwargs: P.kwargs) -> AsyncTaskHandle[R] | None:
        """Adds a call to the queue; returns None if another task holds its unique key."""
        return await self._task._app._add(self.build(*args, **kwargs))  # noqa: SLF001 - one concept, two classes

    def build(self, *args: P.args, **kwargs: P.kwargs) -> TaskCall:
        """Makes a call for ``app.add_tasks``, which has a handle for each call."""
        return self._task._call(args, kwargs, self._options)  # noqa: SLF001 - one concept, two classes


class AsyncTask(BaseTask[P, R, C]):
    """A task seen from asynchronous code: that of an app, or of the task itself.

    A coroutine function that is declared with ``echo=True`` gets one as its first argument,
    whichever app runs it; it adds tasks to that app, and its ``ctx`` is that of the run.
    """

    def __init__(self, definition: TaskDefinition, app: QueueTasks | None) -> None:
        super().__init__(definition)
        self._bound = app

    @property
    def _app(self) -> QueueTasks:
        app = self._bound
        assert app is not None  # noqa: S101 - tasks without an app look for theirs
        return app

    @property
    def app(self) -> QueueTasks:
        """The app: the one that runs the task, if it runs."""
        return self._app

    @property
    def ctx(self) -> AsyncContext:
        """What the running task can learn of itself, and do to itself.

        Raises:
            RuntimeError: it does not run.
        """
        ctx = self._context()
        assert isinstance(ctx, AsyncContext)  # noqa: S101 - the task's colour decides about both
        return ctx

    @overload
    async def add_task(self, *args: P.args, **kwargs: P.kwargs) -> AsyncTaskHandle[R]: ...
    @overload
    async def add_task(
        self, *args: Any, on_conflict: Literal["skip"], **kwargs: Any
    ) -> AsyncTaskHandle[R] | None: ...
    @overload
    async def add_task(
        self,
        *args: Any,
        on_conflict: Literal["existing", "replace", "raise"] | None,
        **kwargs: Any,
    ) -> AsyncTaskHandle[R]: ...
    @overload
    async def add_task(
        self, *args: Any, unique: Uniqueness, **kwargs: Any
    ) -> AsyncTaskHandle[R]: ...
    @overload
    async def add_task(
        self, *args: Any, timeout: float | None, **kwargs: Any
    ) -> AsyncTaskHandle[R]: ...
    @overload
    async def add_task(self, *args: Any, priority: int, **kwargs: Any) -> AsyncTaskHandle[R]: ...
    @overload
    async def add_task(
        self, *args: Any, delay: float | timedelta, **kwargs: Any
    ) -> AsyncTaskHandle[R]: ...
    @overload
    async def add_task(
        self, *args: Any, eta: float | datetime, **kwargs: Any
    ) -> AsyncTaskHandle[R]: ...
    @overload
    async def add_task(self, *args: Any, queue: str, **kwargs: Any) -> AsyncTaskHandle[R]: ...
    @overload
    async def add_task(
        self, *args: Any, task_id: str | UUID, **kwargs: Any
    ) -> AsyncTaskHandle[R]: ...
    @overload
    async def add_task(self, *args: Any, unique_key: str, **kwargs: Any) -> AsyncTaskHandle[R]: ...
    @overload
    async def add_task(
        self, *args: Any, expires: float | timedelta | datetime, **kwargs: Any
    ) -> AsyncTaskHandle[R]: ...
    @overload
    async def add_task(
        self, *args: Any, headers: Mapping[str, str], **kwargs: Any
    ) -> AsyncTaskHandle[R]: ...
    @overload
    async def add_task(self, *args: Any, task_name: str, **kwargs: Any) -> AsyncTaskHandle[Any]: ...
    async def add_task(self, *args: Any, **kwargs: Any) -> AsyncTaskHandle[Any] | None:
        """Adds a call to the queue; with ``timeout=`` also waits for its end.

        Besides the task's own arguments it takes the options of
        :class:`~qtasks.schemas.CallOptions` as keywords, and ``task_name`` to add another task
        of the app by its name.

        Raises:
            TaskArgumentsError: the arguments do not fit the task; nothing was queued.
            EncodeError: an argument cannot be encoded.
            UniqueConflictError: ``on_conflict="raise"``, and another task holds the unique key.
            WaitTimeoutError: ``timeout`` ran out; it carries the handle.
            ServerError: the broker did not acknowledge the call.
            TaskCancelError: it is called within a run that is over.
        """
        return await self._app._add(self._call_with_options(args, kwargs))  # noqa: SLF001 - one concept, two classes

    @overload
    def options(
        self, *, on_conflict: Literal["skip"], **options: Any
    ) -> AsyncSkippingTask[P, R]: ...
    @overload
    def options(
        self,
        *,
        on_conflict: Literal["existing", "replace", "raise"] | None = ...,
        **options: Any,
    ) -> AsyncBoundTask[P, R]: ...
    def options(self, **options: Any) -> AsyncBoundTask[P, R] | AsyncSkippingTask[P, R]:
        """Sets options for calls: ``task.options(delay=60).add_task(...)``.

        Args:
            **options: fields of :class:`~qtasks.schemas.CallOptions`.

        Raises:
            TaskArgumentsError: there is no such option.
        """
        made = make_options(CallOptions(), options)
        if made.on_conflict == "skip":
            return AsyncSkippingTask(self, made)
        return AsyncBoundTask(self, made)


class AsyncTaskDecorator(Protocol):
    """What ``@app.task(...)`` returns: turns a function of either colour into a task."""

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(
        self, function: Callable[P, AsyncIterator[R]], /
    ) -> AsyncTask[P, list[R], AsyncIterator[R]]: ...
    @overload
    def __call__(
        self, function: Callable[P, Generator[R, Any, None]], /
    ) -> AsyncTask[P, list[R], Generator[R, Any, None]]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]  # what a generator returns is its result
        self, function: Callable[P, Generator[Any, Any, R]], /
    ) -> AsyncTask[P, R, Generator[Any, Any, R]]: ...
    @overload
    def __call__(
        self, function: Callable[P, Iterator[R]], /
    ) -> AsyncTask[P, list[R], Iterator[R]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> AsyncTask[P, R, R]: ...


class AsyncTaskEchoDecorator(Protocol):
    """What ``@app.task(echo=True)`` returns: the function's first parameter is not the call's."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], AsyncIterator[R]], /
    ) -> AsyncTask[P, list[R], AsyncIterator[R]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], Generator[R, Any, None]], /
    ) -> AsyncTask[P, list[R], Generator[R, Any, None]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], Generator[Any, Any, R]], /
    ) -> AsyncTask[P, R, Generator[Any, Any, R]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Any, P], Iterator[R]], /
    ) -> AsyncTask[P, list[R], Iterator[R]]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], R], /) -> AsyncTask[P, R, R]: ...
