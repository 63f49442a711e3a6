"""A thread that feels the pulse of the worker's loop, which it therefore does not depend on."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from qtasks_plugin_metrics.cells import HistogramCell

__all__ = ["LoopPulse", "Pulse"]

log = logging.getLogger("qtasks_plugin_metrics")

#: Seconds between two looks.
_BEAT: Final = 0.5


class LoopPulse:
    """Asks one loop again and again, and measures how long the answer takes.

    Args:
        loop: the loop.
        lag: where the times are added up; on the loop.
        now: returns seconds that never go back.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        lag: HistogramCell,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = loop
        self._lag = lag
        self._now = now
        self._asked_at: float | None = None

    @property
    def silent(self) -> float:
        """Seconds for which an answer is overdue."""
        asked_at = self._asked_at
        return 0.0 if asked_at is None else max(0.0, self._now() - asked_at)

    def ask(self) -> None:
        """Asks, unless an answer is still to come."""
        if self._asked_at is None:
            self._asked_at = self._now()
            with contextlib.suppress(RuntimeError):  # the loop is closed; nobody looks any more
                self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        asked_at, self._asked_at = self._asked_at, None
        if asked_at is not None:
            self._lag.observe(max(0.0, self._now() - asked_at))


class Pulse:
    """Does something twice a second, in a thread of its own, until it is stopped.

    Args:
        beat: what is done.
        seconds: between two beats.
    """

    def __init__(self, beat: Callable[[], object], seconds: float = _BEAT) -> None:
        self._beat = beat
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="qtasks-metrics", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, when the beat that runs is over."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self._beat()
            except Exception:
                log.exception("Metrics could not be looked at; the next look follows")
