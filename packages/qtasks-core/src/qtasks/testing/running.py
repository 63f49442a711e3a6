"""Running what is queued to its end: with a real worker, and without waiting for a clock."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final, overload

from qtasks.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from qtasks._worker.worker import Worker
    from qtasks.app import awaitable, blocking
    from qtasks.app.base import BaseQueueTasks
    from qtasks.app.handles import AsyncTaskHandle, TaskHandle
    from qtasks.app.task import BaseTask
    from qtasks.schemas import QueueStats
    from qtasks.typing import Clock

__all__ = ["run_queue", "run_task"]

#: Real seconds after which tasks that run on are given up.
_PATIENCE: Final = 30.0
#: How often time may jump to the next task that is due before it counts as an endless retry.
_MOST_JUMPS: Final = 10_000
#: Real seconds after which the queue is looked at again although no run has ended: a task may
#: also end without one, for example when it has expired.
_LOOK: Final = 0.05


@overload
def run_queue(app: blocking.QueueTasks, *, delays: bool = ..., patience: float = ...) -> None: ...
@overload
def run_queue(
    app: awaitable.QueueTasks, *, delays: bool = ..., patience: float = ...
) -> Coroutine[Any, Any, None]: ...
def run_queue(
    app: blocking.QueueTasks | awaitable.QueueTasks,
    *,
    delays: bool = True,
    patience: float = _PATIENCE,
) -> Coroutine[Any, Any, None] | None:
    """Runs a worker until the queues hold nothing any more; to be awaited in an async app.

    Where all that runs sleeps by ``self.ctx.sleep`` of coroutines, time jumps on as well.

    Args:
        app: the app, as :func:`~qtasks.testing.make_app` makes it.
        delays: whether time jumps to what is delayed or to be retried, which needs a
            :class:`FakeClock`; if not, that stays where it is.
        patience: real seconds after which tasks that run on are given up.

    Raises:
        TimeoutError: a task did not end.
        RuntimeError: a task is retried for ever.
        TypeError: time cannot jump, because it is not that of a :class:`FakeClock`; or a sync app
            is run inside a running loop.
    """
    if app.method == "async":
        return _work(app, delays=delays, patience=patience)
    _refuse_inside_a_loop()
    asyncio.run(_work(app, delays=delays, patience=patience))
    return None


@overload
def run_task(
    app: blocking.QueueTasks, task: str | BaseTask[Any, Any, Any], *args: Any, **kwargs: Any
) -> TaskHandle[Any]: ...
@overload
def run_task(
    app: awaitable.QueueTasks, task: str | BaseTask[Any, Any, Any], *args: Any, **kwargs: Any
) -> Coroutine[Any, Any, AsyncTaskHandle[Any]]: ...
def run_task(
    app: blocking.QueueTasks | awaitable.QueueTasks,
    task: str | BaseTask[Any, Any, Any],
    *args: Any,
    **kwargs: Any,
) -> TaskHandle[Any] | Coroutine[Any, Any, AsyncTaskHandle[Any]]:
    """Adds a call, runs the queue to its end, and returns the handle of what has ended.

    To be awaited in an async app.

    Args:
        app: the app, as :func:`~qtasks.testing.make_app` makes it.
        task: the task, or its name.
        *args: its positional arguments.
        **kwargs: its keyword arguments, and options of a call such as ``delay``.

    Raises:
        TaskArgumentsError: the arguments do not fit.
        TimeoutError: a task did not end.
        RuntimeError: a task is retried for ever.
    """
    if app.method == "async":
        return _run_task(app, task, args, kwargs)
    handle: TaskHandle[Any] = app.add_task(task, *args, **kwargs)
    run_queue(app)
    return handle.refresh()


def _refuse_inside_a_loop() -> None:
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        msg = "a sync app cannot be run inside a running loop: take make_app('async') there"
        raise TypeError(msg)


async def _run_task(
    app: awaitable.QueueTasks, task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> AsyncTaskHandle[Any]:
    handle: AsyncTaskHandle[Any] = await app.add_task(task, *args, **kwargs)
    await run_queue(app)
    return await handle.refresh()


async def _work(app: BaseQueueTasks, *, delays: bool, patience: float) -> None:
    """Has workers run until nothing is left; another one if queues have come up meanwhile."""
    while True:
        queues = await _queues(app)
        await _work_on(app, queues, delays=delays, patience=patience)
        found = [stats for stats in await _stats(app) if stats.queue not in queues]
        if not any(_can_run(stats, delays=delays) for stats in found):
            return


async def _work_on(
    app: BaseQueueTasks, queues: list[str], *, delays: bool, patience: float
) -> None:
    moved = asyncio.Event()
    worker = app.worker(queues=queues)
    worker.on_settled = moved.set
    jumps = 0
    async with worker, _told_of_sleep(app.clock, moved.set):
        until = asyncio.get_running_loop().time() + patience
        while True:
            moved.clear()
            stats = [found for found in await _stats(app) if found.queue in queues]
            if not any(_can_run(found, delays=delays) for found in stats):
                return
            seconds = _to_jump(app.clock, worker, stats)
            if seconds is not None:
                jumps += 1
                _jump(app.clock, seconds, jumps)
                worker._pump.wake()  # noqa: SLF001 - it may sleep by what the time was a moment ago
            elif asyncio.get_running_loop().time() > until:
                worker.stop(hurry=True)
                raise TimeoutError(_unended(stats, patience))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(moved.wait(), _LOOK)


@contextlib.asynccontextmanager
async def _told_of_sleep(clock: Clock, told: Callable[[], None]) -> AsyncIterator[None]:
    """Has the clock say when a running task begins to sleep on it."""
    if isinstance(clock, FakeClock):
        clock._told = told  # noqa: SLF001 - one concept in two modules
    try:
        yield
    finally:
        if isinstance(clock, FakeClock):
            clock._told = None  # noqa: SLF001 - as above


def _to_jump(clock: Clock, worker: Worker, stats: list[QueueStats]) -> float | None:
    """Returns how far time may jump, because nothing else would happen; None if something would."""
    if not any(found.leased or _is_ready(found) for found in stats):
        later = [found.next_due_in for found in stats if not found.paused]
        return min(seconds for seconds in later if seconds is not None)
    if isinstance(clock, FakeClock) and worker.running:
        return clock._until_tasks_wake(worker.running)  # noqa: SLF001 - one concept in two modules
    return None


async def _queues(app: BaseQueueTasks) -> list[str]:
    declared = {task.queue for task in app.tasks.values()}
    return sorted({*app.config.queues, *declared, *await app.broker.queues()})


async def _stats(app: BaseQueueTasks) -> list[QueueStats]:
    return [await app.broker.stats(queue) for queue in await app.broker.queues()]


def _is_ready(stats: QueueStats) -> bool:
    return bool(stats.ready) and not stats.paused


def _can_run(stats: QueueStats, *, delays: bool) -> bool:
    later = delays and not stats.paused and stats.delayed
    return bool(stats.leased or later) or _is_ready(stats)


def _jump(clock: Clock, seconds: float, jumps: int) -> None:
    """Moves the time on."""
    if not isinstance(clock, FakeClock):
        msg = (
            f"time cannot jump to what is delayed: the app's clock is a {type(clock).__name__};"
            " use FakeClock, or run_queue(app, delays=False)"
        )
        raise TypeError(msg)
    if jumps > _MOST_JUMPS:
        msg = (
            f"time jumped {_MOST_JUMPS} times to tasks that run again or sleep, and they are not"
            " over: write run_queue(app, delays=False) and advance the clock as far as the test"
            " needs"
        )
        raise RuntimeError(msg)
    clock.advance(seconds)


def _unended(stats: list[QueueStats], patience: float) -> str:
    counts = ", ".join(f"{found.leased} of queue {found.queue}" for found in stats if found.leased)
    return (
        f"after {patience:g} s these tasks still run: {counts or 'none, but some are ready'};"
        " patience= gives them more time"
    )
