"""One thread for the plain code of a lifetime."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OneThread"]


class OneThread:
    """Calls functions one after the other, always in the same thread, which begins with the first.

    It is no executor of the standard library: the interpreter waits for the threads of those
    when it ends, and a function that never comes back would keep a worker from ending.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def call(self, function: Callable[[], Any]) -> Any:
        """Returns what a function returns; it sees the context variables of the caller.

        A caller that is cancelled leaves it to itself.

        Args:
            function: the function.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        run = contextvars.copy_context().run
        self._calls.put(partial(_answer, loop, answer, partial(run, function)))
        return await answer

    def close(self) -> None:
        """Has the thread end as soon as nothing is left to be called."""
        self._calls.put(None)

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


def _answer(
    loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Any], function: Callable[[], Any]
) -> None:
    value, error = _called(function)
    with contextlib.suppress(RuntimeError):  # the loop may be closed: nobody waits any more
        loop.call_soon_threadsafe(_set, answer, value, error)


def _called(function: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return function(), None
    except StopIteration as error:  # a future refuses it, and whoever waits would wait for ever
        return None, RuntimeError(f"the dependency raised StopIteration({error.value!r})")
    except BaseException as error:  # noqa: BLE001 - it belongs to who called
        return None, error


def _set(answer: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(value)
    else:
        answer.set_exception(error)
