"""Reports of progress on their way to the storage: many in one call, a few calls a second."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks._runtime.errors import safe_text
from qtasks.exc import ServerError
from qtasks.schemas import Progress, Progressed

if TYPE_CHECKING:
    from qtasks.contracts.storage import BaseStorage
    from qtasks.schemas import Delivery
    from qtasks.typing import Clock

__all__ = ["Reports"]

log = logging.getLogger("qtasks.worker")

#: Seconds between two calls, so that a task that reports in a loop costs four calls a second.
_INTERVAL: Final = 0.25
#: Seconds that the end of a run waits for its last report; it is not worth more.
_LAST_WORD: Final = 2.0
#: The most characters of a note.
_MAX_NOTE: Final = 500

#: More than anybody counts to, and the most that fits its encoded form.
_MOST: Final = 2**63

_encode: Final = msgspec.msgpack.Encoder().encode


class Reports:
    """Takes reports from any thread and writes them in batches, on the loop that made it.

    Args:
        storage: where to write.
        clock: the time.
    """

    def __init__(self, storage: BaseStorage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._waiting: dict[str, Progressed] = {}
        self._writing: dict[str, Progressed] = {}
        self._writer: asyncio.Task[None] | None = None
        self._asked = False
        self._hurry = asyncio.Event()
        self._written = asyncio.Event()
        self._away = False

    def put(self, delivery: Delivery, done: Any, total: Any, note: Any) -> None:
        """Takes a report; a newer one of the same task replaces one that waits.

        Raises:
            ValueError: ``done`` or ``total`` is no number from 0 up.
        """
        at = datetime.fromtimestamp(self._clock.time(), UTC)
        _check("done", done)
        if total is not None:
            _check("total", total)
        progress = Progress(done, total, safe_text(note)[:_MAX_NOTE], at)
        message = delivery.message
        entry = Progressed(message.id, delivery.token, _encode(progress), message.queue)
        with self._lock:
            self._waiting[entry.id] = entry
            asked, self._asked = self._asked, True
        if not asked:
            with contextlib.suppress(RuntimeError):  # the loop was closed; nobody asks any more
                self._loop.call_soon_threadsafe(self._begin)

    async def written(self, task_id: str) -> None:
        """Waits until what was said of a task is written, for a moment at the most."""
        if task_id not in self._waiting and task_id not in self._writing:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORD):
                while task_id in self._waiting or task_id in self._writing:
                    self._hurry.set()
                    self._written.clear()
                    await self._written.wait()

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
            with self._lock:
                self._writing, self._waiting = self._waiting, {}
                if not self._writing:
                    self._asked = False
                    return
            await self._write_once()
            self._writing = {}
            self._written.set()
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_INTERVAL):
                    await self._hurry.wait()

    async def _write_once(self) -> None:
        try:
            await self._storage.progress(list(self._writing.values()))
            self._away = False
        except ServerError as error:
            if not self._away:
                log.warning("Progress cannot be stored at the moment: %s", error)
            self._away = True
        except Exception:
            log.exception("Storing progress failed; the tasks go on")


def _check(name: str, value: Any) -> None:
    if not isinstance(value, int | float) or not 0 <= value < _MOST:
        msg = f"progress({name}={value!r}): use a number from 0 up"
        raise ValueError(msg)
