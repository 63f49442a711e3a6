"""The figures that tables show: their headings, and the sections in which they stand."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SECTIONS", "Column", "Section"]


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        measure: where its figure comes from.
        figure: the name of that.
        heading: what stands above it.
        digits: after the point.
        more_is_better: whether the best figure is the largest.
        long: what it is called where it stands alone; none means as above it.
    """

    measure: str
    figure: str
    heading: str
    digits: int = 0
    more_is_better: bool = True
    long: str = ""

    @property
    def name(self) -> str:
        """What it is called where it stands alone."""
        return self.long or self.heading


class Section(NamedTuple):
    """A table: some columns, for each class of queues."""

    title: str
    columns: tuple[Column, ...]


def _less(measure: str, figure: str, heading: str, digits: int = 0, long: str = "") -> Column:
    """Returns a column of which the smallest figure is the best."""
    return Column(measure, figure, heading, digits, more_is_better=False, long=long)


def _depths(figure: str, heading: str) -> tuple[Column, ...]:
    return tuple(
        Column("growth", f"depth_{depth}_{figure}", f"{heading} {depth:,}")
        for depth in (1_000, 10_000, 100_000, 1_000_000)
    )


SECTIONS = (
    Section(
        "Throughput, tasks a second",
        (
            Column("drain", "drain_per_s", "no-ops"),
            Column("sleepers", "sleepers_per_s", "10 ms sleepers, 100 at a time"),
            Column("sleepers", "sleepers_percent", "% of the ceiling"),
            Column("plain", "plain_per_s", "plain functions"),
            Column("cpu", "cpu_per_s", "1,000 SHA-256 each"),
        ),
    ),
    Section(
        "Adding tasks, a second",
        (
            Column("enqueue", "enqueue_one_per_s", "one by one"),
            Column("enqueue", "enqueue_together_per_s", "32 at a time"),
            Column("enqueue", "enqueue_bulk_per_s", "1,000 a call"),
            _less("enqueue", "client_cpu_one_us", "client CPU µs, one by one"),
            _less("enqueue", "client_cpu_bulk_us", "1,000 a call", 1, "client CPU µs, bulk"),
        ),
    ),
    Section(
        "Latency, ms",
        (
            _less("latency", "start_p50_ms", "to the start, p50", 2),
            _less("latency", "start_p99_ms", "p99", 2, "to the start, p99"),
            _less("latency", "result_p50_ms", "to the result, p50", 2),
            _less("latency", "result_p99_ms", "p99", 2, "to the result, p99"),
            _less("wake", "wake_p50_ms", "idle worker to the start, p50", 2),
            _less("wake", "wake_p99_ms", "p99", 2, "idle worker to the start, p99"),
        ),
    ),
    Section(
        "What a task costs",
        (
            _less("drain", "worker_cpu_us", "worker CPU µs"),
            _less("drain", "server_cpu_us", "server CPU µs"),
            _less("drain", "commands_per_task", "commands", 1),
            _less("round_trips", "round_trips_per_task", "round trips", 2),
            _less("round_trips", "bytes_per_task", "bytes on the wire"),
            _less("drain", "left_bytes_per_task", "bytes that stay"),
        ),
    ),
    Section(
        "Behind a slow wire, no-ops a second",
        (Column("delay", "delay_1ms_per_s", "1 ms"), Column("delay", "delay_2ms_per_s", "2 ms")),
    ),
    Section(
        "What a worker takes",
        (
            _less("drain", "memory_mb", "MB"),
            _less("round_trips", "idle_commands_per_s", "idle: commands /s", 1),
            _less("round_trips", "idle_round_trips_per_s", "idle: round trips /s", 1),
        ),
    ),
    Section("No-ops a second where so many are queued", _depths("drain_per_s", "of")),
    Section("Adding one by one where so many are queued, a second", _depths("add_per_s", "to")),
)
