"""Waiting for plugins, but not for ever."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from qtasks._runtime.bridge import is_async_callable
from qtasks._runtime.threads import ThreadPool
from qtasks.exc import PluginTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping

    from qtasks._triggers.policy import Policy

__all__ = ["Begun", "Threads", "begin", "call_once", "in_thread", "within"]

#: How many blocking methods run at once.
_THREADS: Final = 16


class Threads:
    """The threads in which blocking methods run, for each loop its own."""

    def __init__(self) -> None:
        self._pools: dict[asyncio.AbstractEventLoop, ThreadPool] = {}

    async def run(self, function: Callable[[], Any]) -> Any:
        """Runs a function in a thread; a caller that is cancelled leaves it to itself."""
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            pool = self._pools[loop] = ThreadPool(_THREADS, "qtasks-plugin")
        return await pool.run(function)

    def close(self) -> None:
        """Lets idle threads end."""
        while self._pools:
            self._pools.popitem()[1].close()


def begin(answer: Any) -> Any:
    """Lets a coroutine take its first step; most end with it, and need no limit then.

    Returns:
        what it returned, or what has to be waited for; other answers as they are.
    """
    if type(answer) is not CoroutineType:
        return answer
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return answer
    try:
        return Begun(answer, answer.send(None))
    except StopIteration as stop:
        return stop.value


async def within(policy: Policy, awaitable: Awaitable[Any]) -> Any:
    """Waits for what a plugin returned, as long as a plugin may take.

    Raises:
        PluginTimeoutError: it took longer.
    """
    if not _has_loop():  # a plain method of a client's plugin returned an awaitable
        policy.needs_loop = True  # from now on
        return asyncio.run(within(policy, awaitable))
    seconds = policy.timeout
    try:
        async with asyncio.timeout(seconds) as limit:
            answer = await _leavable(policy, awaitable)
            # An async trigger() may hand on what a method gave it.
            while hasattr(type(answer), "__await__"):  # an async trigger() handed on a coroutine
                answer = await _leavable(policy, answer)
            return answer
    except TimeoutError:
        if not limit.expired():
            raise  # its own
        msg = f"it took over {seconds:g} s (plugin_timeout) and was left behind"
        raise PluginTimeoutError(msg) from None


def _leavable(policy: Policy, awaitable: Awaitable[Any]) -> Awaitable[Any]:
    """Returns what waits for the same, but not for ever once it has been cancelled."""
    answer = begin(awaitable)
    if isinstance(answer, Begun):
        answer.patience = _Patience(policy)
        return answer
    return awaitable if answer is awaitable else _given(answer)


async def _given(answer: Any) -> Any:
    return answer


class _Patience:
    """Ends the wait for a coroutine that was cancelled and goes on all the same.

    Args:
        policy: says for how long it may.

    Attributes:
        over: whether it is given up.
    """

    def __init__(self, policy: Policy) -> None:
        self.over = False
        self._policy = policy
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Counts from now, since it has just been cancelled."""
        self.end()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._policy.timeout, self._give_up, asyncio.current_task())

    def end(self) -> None:
        """Stops counting."""
        if self._timer is not None:
            self._timer.cancel()

    def _give_up(self, task: asyncio.Task[Any] | None) -> None:
        if task is not None:
            self.over = task.cancel()


class Begun:
    """The rest of a coroutine that has taken its first step, to be awaited.

    Args:
        coroutine: the coroutine.
        pending: what it waits for.

    Attributes:
        patience: how long it may go on once it has been cancelled; None for ever.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], pending: Any) -> None:
        self._coroutine = coroutine
        self._pending = pending
        self.patience: _Patience | None = None

    def __await__(self) -> Generator[Any, Any, Any]:
        """Hands on what it waits for, and what comes back, until it ends."""
        coroutine, pending, patience = self._coroutine, self._pending, self.patience
        try:
            while True:
                try:
                    sent = yield pending
                except GeneratorExit:
                    coroutine.close()
                    raise
                except asyncio.CancelledError as error:
                    if patience is not None:
                        if patience.over:
                            self._leave()
                            raise
                        patience.begin()
                    pending = coroutine.throw(error)
                except BaseException as error:  # noqa: BLE001 - the coroutine decides about it
                    pending = coroutine.throw(error)
                else:
                    pending = coroutine.send(sent)
        except StopIteration as stop:
            return stop.value
        finally:
            if patience is not None:
                patience.end()

    def _leave(self) -> None:
        """Drops the coroutine; the first cancellation is what counts for those who wait."""
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        with contextlib.suppress(Exception):  # it does not even want to be closed
            self._coroutine.close()


def in_thread(
    policy: Policy, call: Callable[[Mapping[str, Any]], Any], arguments: Mapping[str, Any]
) -> Awaitable[Any]:
    """Calls a blocking method in a thread."""
    return policy.threads.run(partial(call, arguments))


async def call_once(policy: Policy, function: Callable[[], Any]) -> None:
    """Calls ``start`` or ``stop`` of a plugin, of either colour, as long as it may take.

    A plain function runs in a thread of its own, since nothing else could leave it behind.

    Raises:
        PluginTimeoutError: it took longer.
    """
    if is_async_callable(function):
        await within(policy, function())
        return
    if not _has_loop():
        asyncio.run(call_once(policy, function))
        return
    pool = ThreadPool(1, "qtasks-plugin")
    try:
        answer = await within(policy, pool.run(function))
    finally:
        pool.close()
    if hasattr(type(answer), "__await__"):
        await within(policy, answer)


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
