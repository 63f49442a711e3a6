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
        more_is_better: whether the best figure is the largest; None if none is best.
    """

    measure: str
    figure: str
    heading: str
    digits: int = 0
    more_is_better: bool | None = True


class Section(NamedTuple):
    """A table: some columns, for each class of queues."""

    title: str
    columns: tuple[Column, ...]


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
            Column(
                "enqueue", "client_cpu_one_us", "client CPU µs, one by one", 0, more_is_better=False
            ),
            Column("enqueue", "client_cpu_bulk_us", "1,000 a call", 1, more_is_better=False),
        ),
    ),
    Section(
        "Latency, ms",
        (
            Column("latency", "start_p50_ms", "to the start, p50", 2, more_is_better=False),
            Column("latency", "start_p99_ms", "p99", 2, more_is_better=False),
            Column("latency", "result_p50_ms", "to the result, p50", 2, more_is_better=False),
            Column("latency", "result_p99_ms", "p99", 2, more_is_better=False),
            Column("wake", "wake_p50_ms", "idle worker to the start, p50", 2, more_is_better=False),
            Column("wake", "wake_p99_ms", "p99", 2, more_is_better=False),
        ),
    ),
    Section(
        "What a task costs",
        (
            Column("drain", "worker_cpu_us", "worker CPU µs", 0, more_is_better=False),
            Column("drain", "server_cpu_us", "server CPU µs", 0, more_is_better=False),
            Column("drain", "commands_per_task", "commands", 1, more_is_better=False),
            Column("round_trips", "round_trips_per_task", "round trips", 2, more_is_better=False),
            Column("round_trips", "bytes_per_task", "bytes on the wire", 0, more_is_better=False),
            Column("drain", "left_bytes_per_task", "bytes that stay", 0, more_is_better=False),
        ),
    ),
    Section(
        "Behind a slow wire, no-ops a second, and an idle worker",
        (
            Column("delay", "delay_1ms_per_s", "1 ms"),
            Column("delay", "delay_2ms_per_s", "2 ms"),
            Column(
                "round_trips", "idle_commands_per_s", "idle commands /s", 1, more_is_better=False
            ),
            Column(
                "round_trips",
                "idle_round_trips_per_s",
                "idle round trips /s",
                1,
                more_is_better=False,
            ),
            Column("drain", "memory_mb", "worker MB", 0, more_is_better=False),
        ),
    ),
    Section("No-ops a second where so many are queued", _depths("drain_per_s", "of")),
    Section("Adding one by one where so many are queued, a second", _depths("add_per_s", "to")),
)
