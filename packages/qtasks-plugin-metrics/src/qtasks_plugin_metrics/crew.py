"""The workers of one process: their meters, their pulse, and what they say of themselves."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from qtasks_plugin_metrics.gauges import read_info, read_worker
from qtasks_plugin_metrics.messages import Probe
from qtasks_plugin_metrics.meter import Meter
from qtasks_plugin_metrics.pulse import LoopPulse, Pulse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from qtasks_plugin_metrics.book import Book
    from qtasks_plugin_metrics.declarations import Metric
    from qtasks_plugin_metrics.gauges import Reading

__all__ = ["Crew"]


class Crew:
    """Measures the workers of this process.

    Args:
        book: where all comes together.
        metrics: the metrics by name.
        version: that of core.
        beat: done with each beat of the pulse, such as reporting to a supervisor.

    Attributes:
        meters: those of the workers that run.
    """

    def __init__(
        self,
        book: Book,
        metrics: Mapping[str, Metric],
        version: str,
        beat: Callable[[], object] = lambda: None,
    ) -> None:
        self.meters: dict[Any, Meter] = {}
        self._book = book
        self._metrics = metrics
        self._version = version
        self._beat = beat
        self._pulses: dict[Any, LoopPulse] = {}
        self._pulse: Pulse | None = None
        self._end_reading: Callable[[], None] = lambda: None

    def join(self, worker: Any) -> None:
        """Begins to measure a worker; on its loop."""
        meter = self.meters[worker] = Meter(worker, self._metrics)
        self._book.open(meter.ledger)
        self._pulses[worker] = LoopPulse(asyncio.get_running_loop(), meter.lag)
        if self._pulse is None:
            self._end_reading = self._book.read(self.readings, self.count_running)
            self._pulse = Pulse(self.look)
            self._pulse.start()

    def leave(self, worker: Any) -> bool:
        """Ends that, and keeps what was added up; returns whether it was the last one."""
        meter = self.meters.pop(worker, None)
        if meter is None:
            return False
        self._pulses.pop(worker, None)
        meter.count_running({})
        deque(meter.count_figures(), maxlen=0)
        self._book.close(meter.ledger)
        if self.meters or self._pulse is None:
            return False
        self._pulse.stop()
        self._pulse = None
        self._end_reading()
        return True

    def look(self) -> None:
        """Feels the pulse of all loops, and counts what runs."""
        for pulse in list(self._pulses.values()):
            pulse.ask()
        self._beat()

    def count_running(self) -> None:
        """Counts the time of runs that are not over yet."""
        for worker, meter in list(self.meters.items()):
            if worker.started:
                meter.count_running(worker.health().busy)
            deque(meter.count_figures(), maxlen=0)

    def readings(self) -> Iterator[Reading]:
        """Returns the gauges of the workers."""
        for worker, meter in list(self.meters.items()):
            if worker.started:
                yield from read_worker(worker, worker.health(), meter.started_at)
            yield from meter.count_figures()
            yield read_info(worker, self._version)

    def probes(self) -> list[Probe]:
        """Says how the workers do."""
        found = []
        for worker, pulse in list(self._pulses.items()):
            if not worker.started:
                continue
            health = worker.health()
            found.append(
                Probe(
                    worker=worker.id,
                    loop_silent=pulse.silent,
                    claim_silent=0.0 if health.full else health.moved,
                    connected=health.connected,
                    claiming=health.claiming,
                )
            )
        return found
