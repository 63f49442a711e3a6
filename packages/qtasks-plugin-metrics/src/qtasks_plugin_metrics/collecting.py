"""Looks at the broker for the exporter: what waits, how old it is, and who works."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qtasks.schemas import QueueStats
    from qtasks_plugin_metrics.gauges import Reading

__all__ = ["Collecting"]

log = logging.getLogger("qtasks_plugin_metrics")

#: Seconds for which an answer is given again: several scrapers ask the broker once.
_FRESH: Final = 5.0
#: Seconds that the broker gets to answer.
_PATIENCE: Final = 2.0
#: Queues that are looked at; names of more come from a program that goes astray.
_MOST_QUEUES: Final = 500


class Collecting:
    """Asks the broker when somebody wants to know, but not too often.

    One call lists the queues, one the workers, and one looks at each queue.

    Args:
        app: the app; its broker is connected when it is first asked.
        now: returns seconds that never go back.
    """

    def __init__(self, app: Any, now: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._now = now
        self._lock = asyncio.Lock()
        self._asked_at: float | None = None
        self._latest: list[Reading] = []
        self._away = False
        self._told = False

    async def look(self) -> None:
        """Asks the broker, unless it was asked a moment ago; raises nothing."""
        async with self._lock:
            begun = self._now()
            if self._asked_at is not None and begun - self._asked_at < _FRESH:
                return
            readings: list[Reading] = []
            succeeded = 0.0
            try:
                async with asyncio.timeout(_PATIENCE):
                    readings = await self._ask()
                succeeded = 1.0
                self._away = False
            except Exception as error:  # noqa: BLE001 - of any broker; the next look follows
                if not self._away:
                    self._away = True
                    why = str(error) or f"nothing within {_PATIENCE:g} s"
                    log.warning("The broker does not answer: %s: %s", type(error).__name__, why)
            self._asked_at = self._now()
            readings.append(("collector_success", (), succeeded))
            readings.append(("collector_duration_seconds", (), self._asked_at - begun))
            self._latest = readings

    def readings(self) -> list[Reading]:
        """Returns what the last look has shown."""
        return self._latest

    async def _ask(self) -> list[Reading]:
        broker = self._app.broker
        await broker.start()
        names = await broker.queues()
        found: list[Reading] = []
        if len(names) > _MOST_QUEUES and not self._told:
            self._told = True
            log.warning(
                "There are %d queues; only the first %d are looked at", len(names), _MOST_QUEUES
            )
        for name in names[:_MOST_QUEUES]:
            found.extend(_read_queue(await broker.stats(name)))
        workers = await broker.workers()
        found.append(("workers", ("alive",), float(len(workers))))
        return found


def _read_queue(stats: QueueStats) -> Iterator[Reading]:
    """Returns the gauges of a queue."""
    queue = (stats.queue,)
    for state in ("ready", "delayed", "leased", "dead"):
        yield "queue_messages", (stats.queue, state), float(getattr(stats, state))
    yield "queue_oldest_ready_age_seconds", queue, stats.oldest_ready_age or 0.0
    yield "queue_oldest_lease_age_seconds", queue, stats.oldest_lease_age or 0.0
    yield "queue_paused", queue, float(stats.paused)
    if stats.next_due_in is not None:
        yield "queue_next_due_seconds", queue, stats.next_due_in
