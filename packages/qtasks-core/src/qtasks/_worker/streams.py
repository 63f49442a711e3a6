"""The values of running generators on their way to the storage: many in one call."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Final

from qtasks._runtime.backoff import Backoff
from qtasks.exc import ServerError

if TYPE_CHECKING:
    from qtasks._config import QueueConfig
    from qtasks._worker.values import Values
    from qtasks.contracts.storage import BaseStorage
    from qtasks.schemas import Chunk
    from qtasks.typing import Clock

__all__ = ["Streams"]

log = logging.getLogger("qtasks.worker")

#: Seconds between two calls, so that a worker full of generators costs fifty calls a second.
_INTERVAL: Final = 0.02
#: Seconds to wait for a storage that is away: at first, and at the most.
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0


class Streams:
    """Writes what generators yield, one call at a time, on the loop that made it.

    Args:
        storage: where to write.
        config: the settings.
        clock: the time, for the pauses while the storage is away.

    Attributes:
        lock: held while the values that wait change.
    """

    def __init__(self, storage: BaseStorage, config: QueueConfig, clock: Clock) -> None:
        self._storage = storage
        self._config = config
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self.lock = threading.Lock()
        self._sources: dict[Values, None] = {}
        self._asked = False
        self._writer: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._wrote: asyncio.Future[None] | None = None
        self._backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)

    def add(self, values: Values) -> None:
        """Has the values of a run written that wait; from any thread."""
        with self.lock:
            self._sources[values] = None
            asked, self._asked = self._asked, True
        if not asked:
            with contextlib.suppress(RuntimeError):  # the loop was closed; nobody reads any more
                self._loop.call_soon_threadsafe(self._begin)

    async def writes(self) -> None:
        """Waits until something was written, or given up."""
        if self._wrote is None:
            self._wrote = self._loop.create_future()
        self._hurry.set()
        await asyncio.shield(self._wrote)

    async def written(self, values: Values) -> None:
        """Waits until all values of a run are written; as long as it takes."""
        while values in self._sources:
            await self.writes()

    def drop(self, values: Values) -> None:
        """Forgets the values of a run that nobody waits for any more."""
        with self.lock:
            self._sources.pop(values, None)

    async def close(self) -> None:
        """Ends; what was not written is dropped."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])

    def _begin(self) -> None:
        self._writer = self._loop.create_task(self._write())

    async def _write(self) -> None:
        """Writes while there is something to write, with a pause after each call."""
        while True:
            with self.lock:
                ttl = self._config.result_ttl
                chunks = {values: values.chunk(ttl) for values in self._sources}
                if not chunks:
                    self._asked = False
                    return
            pause = await self._write_once(chunks)
            self._tell()
            if pause:
                await self._clock.sleep(pause)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_INTERVAL):
                    await self._hurry.wait()
            self._hurry.clear()

    async def _write_once(self, chunks: dict[Values, Chunk]) -> float:
        """Writes chunks; returns the seconds to wait if the storage is away."""
        try:
            await self._storage.append_stream(list(chunks.values()))
        except ServerError as error:
            if not self._backoff.failures:
                log.warning("Values of generators wait, the storage is away: %s", error)
            return self._backoff.pause()
        except Exception:
            log.exception("Values of generators were not stored; the tasks go on")
        self._backoff.reset()
        with self.lock:
            for values, chunk in chunks.items():
                values.wrote(len(chunk.values))
                if not values.waiting:
                    self._sources.pop(values, None)
        return 0.0

    def _tell(self) -> None:
        if self._wrote is not None:
            self._wrote.set_result(None)
            self._wrote = None
