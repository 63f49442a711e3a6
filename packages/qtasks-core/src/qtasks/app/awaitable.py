"""The asynchronous façade: ``qtasks.asyncio.QueueTasks``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, ParamSpec, Self, TypeVar, Unpack, overload

from qtasks.app.asking import as_id, check_calls, make_call, make_query
from qtasks.app.awaitable_declaring import AwaitableDeclaring
from qtasks.app.awaitable_task import AsyncTask
from qtasks.app.awaitable_upkeep import AwaitableUpkeep
from qtasks.app.handles import AsyncTaskHandle
from qtasks.app.waiting import take_ended, wait_until_ended
from qtasks.exc import UniqueConflictError

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Callable,
        Coroutine,
        Iterable,
        Mapping,
        Sequence,
    )
    from datetime import timedelta
    from types import TracebackType
    from uuid import UUID

    from qtasks._core.client import Client
    from qtasks.app.base import AppOptions
    from qtasks.app.inline import AsyncInline
    from qtasks.app.task import BaseTask
    from qtasks.schemas import (
        CancelAnswer,
        TaskCall,
        TaskStatusEnum,
    )

__all__ = ["QueueTasks"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class QueueTasks(AwaitableDeclaring, AwaitableUpkeep):
    """The app for asynchronous code; see :class:`~qtasks.app.base.BaseQueueTasks`.

    Its calls are coroutines. ``async with app.worker():`` runs a worker in the same loop.
    """

    method: ClassVar[Literal["async"]] = "async"

    def __init__(self, name: str = "QueueTasks", **options: Unpack[AppOptions]) -> None:
        super().__init__(name, **options)
        self._calls = self._client(self._connection)

    @overload
    async def add_task(
        self,
        task_name: str | BaseTask[Any, Any, Any],
        *args: Any,
        on_conflict: Literal["skip"],
        **kwargs: Any,
    ) -> AsyncTaskHandle[Any] | None: ...
    @overload
    async def add_task(
        self,
        task_name: str | BaseTask[Any, Any, Any],
        *args: Any,
        on_conflict: Literal["existing", "replace", "raise"] | None = ...,
        **kwargs: Any,
    ) -> AsyncTaskHandle[Any]: ...
    async def add_task(
        self, task_name: str | BaseTask[Any, Any, Any], *args: Any, **kwargs: Any
    ) -> AsyncTaskHandle[Any] | None:
        """Adds a call by the task's name; the task may live in another program.

        Args:
            task_name: the name, or a task object.
            *args: the task's positional arguments.
            **kwargs: its keyword arguments, and options of
                :class:`~qtasks.schemas.CallOptions`.

        Raises:
            TaskArgumentsError: the task is known here and the arguments do not fit.
            EncodeError: an argument cannot be encoded.
            UniqueConflictError: ``on_conflict="raise"``, and another task holds the unique key.
            WaitTimeoutError: ``timeout`` ran out; it carries the handle.
            ServerError: the broker did not acknowledge the call.
        """
        return await self._add(make_call(self, task_name, args, kwargs))

    async def add_tasks(self, calls: Iterable[TaskCall]) -> list[AsyncTaskHandle[Any]]:
        """Adds many calls in one step, all or none.

        There is a handle for each call. Where another task holds the unique key of a call, it is
        that task's, also if the call shall be skipped.

        Args:
            calls: what ``task.build(...)`` returned.

        Raises:
            TaskArgumentsError: one of the calls does not fit; nothing was queued.
            UniqueConflictError: calls that say ``on_conflict="raise"`` were not added, because
                other tasks hold their keys; all others were. It names both.
            ServerError: nothing was acknowledged.
        """
        listed = check_calls(calls)
        records = await self._run(lambda client: client.submit(listed, many=True))
        return [AsyncTaskHandle(self, record) for record in records]

    async def get(self, task_id: str | UUID) -> AsyncTaskHandle[Any] | None:
        """Returns the handle of a task; None if there is no record of it.

        Raises:
            TaskArgumentsError: the id is not a uuid.
        """
        wanted = as_id(task_id)

        async def get(client: Client) -> AsyncTaskHandle[Any] | None:
            record = await client.look(wanted)
            handle = None if record is None else AsyncTaskHandle[Any](self, record)
            found: AsyncTaskHandle[Any] | None = await client.handed(handle)
            return found

        return await self._run(get)

    async def as_completed(
        self, tasks: Iterable[AsyncTaskHandle[T]], timeout: float | None = None
    ) -> AsyncIterator[AsyncTaskHandle[T]]:
        """Yields handles as their tasks end; ends early when the time runs out.

        Tasks that ended before come first; one without a record (any more) is left out.

        Args:
            tasks: the handles.
            timeout: seconds for all of them; None for no limit.
        """
        handles = {handle.id: handle for handle in tasks}
        deadline = None if timeout is None else self.clock.monotonic() + timeout
        while handles:
            left = None if deadline is None else max(0.0, deadline - self.clock.monotonic())
            ended = await self._run(partial(take_ended, handles=handles, timeout=left))
            for handle in ended or ():
                yield handle
            if ended is None:
                return

    async def list_tasks(
        self,
        *,
        status: str | TaskStatusEnum | None = None,
        queue: str | None = None,
        task: str | None = None,
        dead: bool | None = None,
        error_type: str | None = None,
        error: str | None = None,
        reason: str | None = None,
        since: float | timedelta | None = None,
        until: float | timedelta | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[list[AsyncTaskHandle[Any]], str | None]:
        """Lists tasks, newest first: one page and the cursor of the next, or None.

        Args:
            status: only this status.
            queue: only this queue.
            task: only this task name.
            dead: True for the dead letters alone.
            error_type: only failures of this exception type, qualified or bare.
            error: only failures of this exception type, or with this text in their message.
            reason: only this reason.
            since: only those that were added (dead letters: that died) at or after this time:
                seconds since the epoch, or a timedelta back from now.
            until: only those before this time, likewise.
            limit: page size, 1…1000.
            cursor: what the page before returned.

        Raises:
            TaskArgumentsError: a filter has a value that cannot be.
        """
        query = make_query(
            status=status,
            queue=queue,
            task=task,
            dead=dead,
            error_type=error_type,
            error=error,
            reason=reason,
            since=since,
            until=until,
            limit=limit,
            cursor=cursor,
            now=self.clock.time(),
        )
        page = await self._run(lambda client: client.page(query))
        return [AsyncTaskHandle(self, record) for record in page.records], page.cursor

    async def cancel(
        self, task_id: str | UUID, reason: str = "cancelled by the caller"
    ) -> CancelAnswer:
        """Cancels a task that waits, and asks the worker of a running one to.

        Args:
            task_id: its id.
            reason: is stored with the task.
        """
        wanted = as_id(task_id)
        return (await self._run(lambda client: client.cancel([wanted], reason)))[wanted]

    def inline(self, *, raises: bool = False, delays: bool = False) -> AsyncInline:
        """Runs tasks where they are added, at once, with no worker and no server; for tests.

        In the block of this context manager, all that the app adds and asks for goes to a queue
        in memory of the block's own. Arguments and results are encoded, and triggers and events
        fire, as in a worker.

        Args:
            raises: whether adding a task raises what the task raised, or that it was cancelled.
            delays: whether delayed tasks, and those that are to run again later, wait for
                ``advance`` of the object that the block gets; otherwise their time comes at once.
        """
        from qtasks.app.inline import AsyncInline

        return AsyncInline(self, raises=raises, delays=delays)

    async def close(self) -> None:
        """Closes this app's connections; the next call opens them again."""
        await self._calls.stop()

    async def __aenter__(self) -> Self:
        """Returns the app; leaving the block closes its connections."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the connections."""
        await self.close()

    def _make_task(
        self, function: Any, name: str | None, options: Mapping[str, Any]
    ) -> AsyncTask[..., Any, Any]:
        return AsyncTask(self._declare(function, name, options), self)

    async def _run(self, make: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        if not self._discovery.registered:
            self._discovery.register()
        if (inline := self._inline_mode) is not None:
            return await inline.run(make)
        return await make(self._calls)

    async def _add(self, call: TaskCall) -> AsyncTaskHandle[Any]:
        """Adds a call; returns its handle, or None if it was skipped."""
        try:
            records = await self._run(lambda client: client.submit([call]))
        except UniqueConflictError:
            if call.options.on_conflict != "skip":
                raise
            return None  # type: ignore[return-value]  # who asks for it has a type that says so
        handle = AsyncTaskHandle[Any](self, records[0])
        if call.options.timeout is not None:
            await handle.wait(call.options.timeout)
        return handle

    async def _wait(self, handles: Sequence[AsyncTaskHandle[Any]], timeout: float | None) -> None:
        await self._run(partial(wait_until_ended, handles=handles, timeout=timeout))
