"""Every metric: name, kind, labels, buckets, and what it tells.

Docs, dashboard, rules and tests are made from these, or checked against them.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BY_NAME", "METRICS", "PREFIX", "Kind", "Metric", "Source", "declared"]

PREFIX: Final = "qtasks_"

#: Who knows it: programs that add tasks, workers, their supervisor, or ``metrics-exporter``.
Source: TypeAlias = Literal["producer", "worker", "supervisor", "exporter", "any"]


class Kind(StrEnum):
    """What kind of metric it is."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric.

    Attributes:
        name: its name without prefix, and without the ``_total`` of counters.
        kind: counter, gauge or histogram.
        doc: what it tells, in one sentence.
        labels: the names of its labels.
        buckets: upper bounds of a histogram, rising, without +Inf.
        source: who knows it.
        merge: how gauges of several worker processes become one.
    """

    name: str
    kind: Kind
    doc: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    source: Source = "worker"
    merge: Literal["sum", "min", "max"] = "sum"

    @property
    def full_name(self) -> str:
        """The name by which Prometheus knows it."""
        return PREFIX + self.name + ("_total" if self.kind is Kind.COUNTER else "")


_QUICK: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_BYTES: Final = tuple(256.0 * 4**power for power in range(9))
_RUNS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(60.0, 300.0, 900.0, 3600.0),
)
_WAITS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0),
)
_LAGS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)


def _counter(name: str, doc: str, *labels: str, source: Source = "worker") -> Metric:
    return Metric(name=name, kind=Kind.COUNTER, doc=doc, labels=labels, source=source)


def _gauge(
    name: str,
    doc: str,
    *labels: str,
    source: Source = "worker",
    merge: Literal["sum", "min", "max"] = "sum",
) -> Metric:
    return Metric(name=name, kind=Kind.GAUGE, doc=doc, labels=labels, source=source, merge=merge)


def _histogram(
    name: str, doc: str, *labels: str, buckets: tuple[float, ...], source: Source = "worker"
) -> Metric:
    return Metric(
        name=name, kind=Kind.HISTOGRAM, doc=doc, labels=labels, buckets=buckets, source=source
    )


METRICS: Final = (
    # Adding tasks
    _counter(
        "tasks_enqueued",
        "Tasks that the broker has acknowledged.",
        *("queue", "task"),
        source="producer",
    ),
    _counter(
        "enqueue_errors",
        "Tasks that could not be added, by the class of the exception.",
        *("queue", "error_type"),
        source="producer",
    ),
    _histogram(
        "enqueue_duration_seconds",
        "Time until the broker has acknowledged a call, which may add many tasks.",
        "queue",
        buckets=_QUICK,
        source="producer",
    ),
    _histogram(
        "enqueue_payload_bytes",
        "Size of the encoded arguments of added tasks.",
        "queue",
        buckets=_BYTES,
        source="producer",
    ),
    # Runs
    _counter(
        "deliveries",
        "Tasks that were handed to workers; redelivered is yes if that was not the first time.",
        *("queue", "redelivered"),
    ),
    _counter(
        "attempts",
        "Runs that ended: success, retry, fail, snooze, cancel, release; fenced if refused.",
        *("queue", "task", "outcome"),
    ),
    _counter(
        "tasks_finished",
        "Tasks that are over: success, fail, cancel, discarded, expired.",
        *("queue", "task", "outcome"),
    ),
    _counter(
        "task_errors",
        "Runs that failed, by the class of the exception.",
        *("queue", "task", "error_type"),
    ),
    _histogram(
        "task_duration_seconds",
        "How long runs took that returned (success) or failed (error).",
        *("queue", "task", "outcome"),
        buckets=_RUNS,
    ),
    _histogram(
        "task_wait_seconds",
        "Time from when a task was allowed to run until it began, without deliberate delay.",
        "queue",
        buckets=_WAITS,
    ),
    _histogram(
        "task_end_to_end_seconds",
        "Time from when a task was added until it was over, delays and retries included.",
        "queue",
        buckets=_WAITS,
    ),
    _counter("retries", "Runs that failed and are followed by another one.", "queue", "task"),
    _histogram(
        "retry_delay_seconds",
        "Time until the run that follows a failed one.",
        "queue",
        buckets=_WAITS,
    ),
    _counter("retry_budget_exhausted", "Retries that were postponed by a spent budget.", "budget"),
    _gauge(
        "circuit_state",
        "State of a circuit breaker: 0 closed, 1 half-open, 2 open.",
        "breaker",
        merge="max",
    ),
    _counter(
        "dead_letters",
        "Tasks that failed for good, by the reason.",
        *("queue", "task", "reason"),
    ),
    # Workers
    _gauge("tasks_in_progress", "Tasks that run now.", "queue"),
    _gauge("worker_slots", "How many tasks run at once at most; pools share them.", "pool"),
    _counter("worker_busy_seconds", "Time that tasks have been running, added up.", "pool"),
    _gauge("worker_prefetched_tasks", "Tasks that wait in workers for a slot.", "queue"),
    _counter(
        "lease_renewals",
        "Leases that were to be renewed: renewed, or lost to somebody else.",
        *("queue", "result"),
    ),
    _counter("leases_expired", "Tasks that came back because their lease ran out.", "queue"),
    _counter(
        "settles_fenced", "Outcomes that were refused because a newer delivery exists.", "queue"
    ),
    _histogram(
        "broker_op_duration_seconds",
        "Time until the broker answered a call of the workers.",
        *("broker", "op"),
        buckets=_QUICK,
    ),
    _counter(
        "broker_errors", "Calls that the broker did not answer.", "broker", "op", "error_type"
    ),
    _counter("broker_reconnects", "How often the broker came back after it was away.", "broker"),
    _gauge("broker_connected", "Workers' view of the broker: 1 if it answers.", merge="min"),
    _histogram(
        "event_loop_lag_seconds",
        "How late the loop of a worker answers, looked at twice a second.",
        buckets=_LAGS,
    ),
    _gauge(
        "worker_info",
        "Always 1; the labels say what runs.",
        *("version", "python", "broker"),
        merge="max",
    ),
    _gauge(
        "worker_start_time_seconds",
        "When this worker, or the oldest of its processes, started; seconds since the epoch.",
        merge="min",
    ),
    _gauge(
        "worker_last_poll_timestamp_seconds",
        "When the claim loop that is furthest behind last moved; seconds since the epoch.",
        merge="min",
    ),
    _counter(
        "worker_child_exits",
        "Worker processes that ended: stopped, burst, retired, failed, signal, exit.",
        "reason",
        source="supervisor",
    ),
    _counter("plugin_hook_errors", "Failures of plugins.", "plugin", "hook", source="any"),
    _counter(
        "metrics_dropped",
        "Label sets that were left out because there were too many series.",
        source="any",
    ),
    # The broker, seen by the exporter
    _gauge(
        "queue_messages",
        "Tasks of a queue: ready, delayed, leased, dead.",
        *("queue", "state"),
        source="exporter",
        merge="max",
    ),
    _gauge(
        "queue_oldest_ready_age_seconds",
        "How long the oldest ready task has been allowed to run; 0 if there is none.",
        "queue",
        source="exporter",
        merge="max",
    ),
    _gauge(
        "queue_oldest_lease_age_seconds",
        "How long ago the oldest running task was handed out; 0 if there is none.",
        "queue",
        source="exporter",
        merge="max",
    ),
    _gauge("queue_paused", "1 if a queue is paused.", "queue", source="exporter", merge="max"),
    _gauge(
        "queue_next_due_seconds",
        "Time until the next delayed task may run; absent if there is none.",
        "queue",
        source="exporter",
        merge="max",
    ),
    _gauge(
        "workers",
        "Workers that have reported themselves and are alive.",
        "state",
        source="exporter",
        merge="max",
    ),
    _gauge(
        "collector_success",
        "1 if the broker answered when it was last looked at.",
        source="exporter",
        merge="max",
    ),
    _gauge(
        "collector_duration_seconds",
        "How long the last look at the broker took.",
        source="exporter",
        merge="max",
    ),
)

BY_NAME: Final[Mapping[str, Metric]] = MappingProxyType({metric.name: metric for metric in METRICS})


def declared(run_buckets: tuple[float, ...] = ()) -> Mapping[str, Metric]:
    """Returns all metrics by name.

    Args:
        run_buckets: other buckets of ``task_duration_seconds``; empty for the default.
    """
    if not run_buckets:
        return BY_NAME
    name = "task_duration_seconds"
    changed = msgspec.structs.replace(BY_NAME[name], buckets=run_buckets)
    return {**BY_NAME, name: changed}
