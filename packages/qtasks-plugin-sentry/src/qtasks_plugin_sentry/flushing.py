"""Sending what is still to be sent, and no longer than there is time for it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks_plugin_sentry.sdk import active_client

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Flush", "Flushed", "ask_to_flush", "flush", "listen"]

#: Seconds that a process which is about to be killed gets, of the one that its supervisor waits.
_LAST: Final = 0.8
#: Seconds of what a worker has left that belong to its last steps.
_RESERVE: Final = 1.0


class Flush(msgspec.Struct, frozen=True):
    """Asks a worker process to send what it has.

    Attributes:
        timeout: the most seconds that it may take.
    """

    timeout: float


class Flushed(msgspec.Struct, frozen=True):
    """Says that it has been sent, or that the time is over."""


async def flush(timeout: float, left: float | None = None) -> None:
    """Waits until everything is sent, as long as there is time; the loop goes on meanwhile.

    Args:
        timeout: the most seconds.
        left: seconds until this process has to be gone; None if it need not go.
    """
    client = active_client()
    seconds = timeout if left is None else min(timeout, max(left - _RESERVE, 0.0))
    if client is None or not seconds:
        return
    transport = getattr(client, "transport", None)
    flush_async = getattr(client, "flush_async", None)
    sends_on_loop = inspect.iscoroutinefunction(getattr(transport, "flush", None))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            if flush_async is not None and sends_on_loop:
                await flush_async(timeout=seconds)
            else:
                await _in_thread(lambda: client.flush(timeout=seconds))


def listen(channel: Any) -> None:
    """Has a worker process send what it has when its supervisor asks for it.

    What is asked for is dealt with in the thread that listens, so it works while the loop hangs.

    Args:
        channel: the way to the supervisor.
    """

    def answer(asked: Flush) -> None:
        client = active_client()
        if client is not None:
            client.flush(timeout=asked.timeout)
        channel.send(Flushed())

    channel.on(Flush, answer)


async def ask_to_flush(channel: Any) -> None:
    """Asks a worker process to send what it has, and waits for it, but not for ever.

    Args:
        channel: the way to the worker process.
    """
    done = asyncio.Event()
    channel.on(Flushed, lambda _: done.set())
    channel.send(Flush(_LAST))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST):
            await done.wait()


async def _in_thread(function: Callable[[], object]) -> None:
    """Calls a function in a thread that keeps nobody if it does not come back."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def work() -> None:
        try:
            function()
        finally:
            with contextlib.suppress(RuntimeError):  # the loop is closed; nobody waits any more
                loop.call_soon_threadsafe(done.set)

    threading.Thread(target=work, name="qtasks-sentry-flush", daemon=True).start()
    await done.wait()
