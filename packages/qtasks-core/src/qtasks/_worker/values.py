"""The values of one run of a generator task: handled, kept for the result, given to readers."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from qtasks.contracts.codec import encode
from qtasks.exc import PayloadTooLargeError
from qtasks.schemas import Chunk

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from qtasks._config import QueueConfig
    from qtasks._worker.runs import Run
    from qtasks._worker.streams import Streams

__all__ = ["Values"]

#: Bytes that may wait for the storage before the generator has to; and the most in one chunk.
_ROOM: Final = 1_048_576
#: The most values in one chunk.
_MOST: Final = 1_000
#: Seconds between two looks of a waiting thread whether its run is over.
_LOOK: Final = 0.5
#: Seconds after which an async generator lets others run, also if it never waits for anything.
_TURN: Final = 0.01


class Values:
    """What the generator of one run yields.

    Args:
        run: the run.
        streams: where the values go while it runs; None if nobody shall see them before the end.
        config: the settings.

    Attributes:
        kept: the values, if the result is stored.
    """

    def __init__(self, run: Run, streams: Streams | None, config: QueueConfig) -> None:
        self._run = run
        self._streams = streams
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._cancelled = _cancelled()
        self._turn = time.monotonic()
        self._handle = run.task.generate_handler
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._first = 0
        self._total = 0
        self._room = threading.Event()
        self.kept: list[Any] = []

    async def take(self, value: Any) -> Any:
        """Takes a value on the loop; returns what ``yield`` gives back.

        Raises:
            TaskCancelError: the run is over.
            CancelledError: it was cancelled, and the generator went on.
            EncodeError, PayloadTooLargeError: the value cannot be stored.
        """
        self._run.check()
        if _cancelled() > self._cancelled:
            raise asyncio.CancelledError
        answer = None
        if self._handle is not None:
            value = self._handle(value)
            if inspect.isawaitable(value):
                value = await value
            answer = value
        self._keep(value)
        if (now := time.monotonic()) - self._turn > _TURN:
            self._turn = now
            await asyncio.sleep(0)
        while self._bytes > _ROOM and self._streams is not None:
            await self._streams.writes()
            self._run.check()
        return answer

    def take_here(self, value: Any) -> Any:
        """Takes a value in the thread of a plain generator, see :meth:`take`."""
        self._run.check()
        answer = None
        on_loop = threading.get_ident() == self._thread
        if self._handle is not None:
            value = self._handle(value)
            if inspect.isawaitable(value):
                value = self._awaited(value, on_loop=on_loop)
            answer = value
        self._keep(value)
        while self._bytes > _ROOM and not on_loop:
            self._room.wait(_LOOK)
            self._run.check()
        return answer

    def _awaited(self, value: Awaitable[Any], *, on_loop: bool) -> Any:
        if on_loop:
            if inspect.iscoroutine(value):
                value.close()
            msg = (
                f"the generate_handler of {self._run.task.name} is to be awaited, which"
                " pool='loop' cannot do between the values of a plain generator: use"
                " pool='thread', or an async generator"
            )
            raise TypeError(msg)

        async def wait() -> Any:
            return await value

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result()

    def _keep(self, value: Any) -> None:
        task = self._run.task
        if task.store_result:
            self.kept.append(value)
        streams = self._streams
        if streams is None:
            return
        number = self._first + len(self._waiting)
        what = f"value {number} of {task.name}"
        data = encode(value, what, self._config.max_payload)
        self._total += len(data)
        if self._total > self._config.max_stream:
            msg = (
                f"the values of {task.name} take more than {self._config.max_stream:,} bytes with"
                f" number {number}: raise max_stream, or declare the task with stream=False"
            )
            raise PayloadTooLargeError(msg)
        with streams.lock:
            self._waiting.append(data)
            self._bytes += len(data)
            self._room.clear()
        streams.add(self)

    def finish(self) -> None:
        """Has readers know of a run that succeeded without a value: those of others are not its."""
        if self._streams is not None and not self._total:
            self._streams.add(self)

    # For whoever writes them, under the lock of the streams

    @property
    def waiting(self) -> bool:
        """Whether something is to be written."""
        return bool(self._waiting)

    def chunk(self, ttl: float) -> Chunk:
        """Returns the values that are to be written next, which stay."""
        count = size = 0
        for data in self._waiting[:_MOST]:
            size += len(data)
            count += 1
            if size > _ROOM:
                break
        delivery = self._run.delivery
        message = delivery.message
        values = tuple(self._waiting[:count])
        return Chunk(message.id, delivery.token, self._first, values, ttl, message.queue)

    def wrote(self, count: int) -> None:
        """Forgets values that were written."""
        self._bytes -= sum(map(len, self._waiting[:count]))
        del self._waiting[:count]
        self._first += count
        self._room.set()


def _cancelled() -> int:
    """Returns how many cancellations of the running coroutine are not taken back."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()
