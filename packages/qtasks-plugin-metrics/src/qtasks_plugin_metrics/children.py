"""Several worker processes behind one port: what they report to their supervisor."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks_plugin_metrics.messages import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qtasks_plugin_metrics.book import Book
    from qtasks_plugin_metrics.crew import Crew
    from qtasks_plugin_metrics.gauges import Reading
    from qtasks_plugin_metrics.messages import Probe

__all__ = ["Children", "Reporter"]

#: Seconds between two reports of a worker process: so much is lost when it is killed.
_EVERY: Final = 1.0


class Reporter:
    """Tells the supervisor what this process measures.

    Args:
        channel: the way to the supervisor.
        book: where it comes together here.
        crew: the workers of this process.
        now: returns seconds that never go back.
    """

    def __init__(
        self, channel: Any, book: Book, crew: Crew, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._channel = channel
        self._book = book
        self._crew = crew
        self._now = now
        self._told_at = now()

    def beat(self) -> None:
        """Reports, if it is time."""
        if self._now() - self._told_at >= _EVERY:
            self.tell()

    def tell(self) -> None:
        """Reports what was added up since the last time."""
        self._told_at = self._now()
        readings = [(name, labels, float(value)) for name, labels, value in self._book.readings()]
        self._channel.send(Report(self._book.take(), readings, self._crew.probes()))


class Children:
    """Hears the worker processes of a supervisor.

    Args:
        book: where all comes together.
        now: returns seconds that never go back.
    """

    def __init__(self, book: Book, now: Callable[[], float] = time.monotonic) -> None:
        self._book = book
        self._now = now
        self._latest: dict[Any, tuple[float, Report]] = {}
        self._living: set[Any] = set()

    def listen(self, child: Any) -> None:
        """Hears a child, from its first word on."""
        self._living.add(child)
        child.channel.on(Report, partial(self.hear, child))

    def hear(self, child: Any, report: Report) -> None:
        """Takes a report over; how a child was when it said its last word is of no interest."""
        self._book.add(report.additions)
        if child in self._living:
            self._latest[child] = self._now(), report

    def forget(self, child: Any) -> None:
        """Forgets how a child was that has ended; what it has counted stays."""
        self._living.discard(child)
        self._latest.pop(child, None)

    def readings(self) -> Iterator[Reading]:
        """Returns the gauges of the children that live."""
        for _, report in list(self._latest.values()):
            yield from report.readings

    def probes(self) -> list[Probe]:
        """Says how the workers of the children do; who says nothing does not move."""
        found = []
        for heard_at, report in list(self._latest.values()):
            silent = self._now() - heard_at
            silent = silent if silent > 2 * _EVERY else 0.0
            for probe in report.probes:
                loop, claim = probe.loop_silent + silent, probe.claim_silent + silent
                found.append(msgspec.structs.replace(probe, loop_silent=loop, claim_silent=claim))
        return found
