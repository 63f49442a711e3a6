"""What is not added up but read off: how workers do at the moment."""

from __future__ import annotations

import logging
import platform
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from qtasks_plugin_metrics.guard import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qtasks.schemas import WorkerHealth

__all__ = ["Reading", "broker_kind", "read_figures", "read_info", "read_worker"]

log = logging.getLogger("qtasks_plugin_metrics")

#: The name of a gauge, the values of its labels, and what it shows.
Reading: TypeAlias = tuple[str, tuple[str, ...], float]


def broker_kind(worker: Any) -> str:
    """Returns what a broker is called in labels: the scheme of its URL, without what is secret."""
    scheme, found, _ = str(getattr(worker.broker, "url", "")).partition("://")
    return scheme if found else UNKNOWN


def read_worker(worker: Any, health: WorkerHealth, started_at: float) -> Iterator[Reading]:
    """Returns the gauges of a worker.

    Args:
        worker: the worker.
        health: how it does.
        started_at: when it started, seconds since the epoch.
    """
    queues = dict.fromkeys(worker.queues, 0)
    for queue, count in {**queues, **health.running}.items():
        yield "tasks_in_progress", (queue,), count
    for queue, count in {**queues, **health.prefetched}.items():
        yield "worker_prefetched_tasks", (queue,), count
    yield from _slots(worker)
    yield "broker_connected", (), float(health.connected)
    yield "worker_start_time_seconds", (), started_at
    if health.claiming:
        behind = 0.0 if health.full else health.moved
        yield "worker_last_poll_timestamp_seconds", (), time.time() - behind


def _slots(worker: Any) -> Iterator[Reading]:
    """Returns the slots of the pools that the app's tasks use."""
    config = worker.config
    most = config.max_tasks_process
    room = {"loop": most, "thread": config.threads, "process": config.processes}
    pools = Counter(task.pool for task in worker.app.tasks.values())
    for pool in pools or ("loop",):
        yield "worker_slots", (pool,), min(most, room.get(pool, most))


def read_figures(plugin: Any, now: float) -> list[Reading]:
    """Returns what another plugin tells of itself: nothing, if that is not what is meant here.

    Its method may be one that only has the same name, so nothing is expected of it.

    Args:
        plugin: the plugin.
        now: seconds since the epoch.
    """
    figures = getattr(plugin, "figures", None)
    if not callable(figures):
        return []
    try:
        return [(str(name), (str(label),), float(value)) for name, label, value in figures(now)]
    except Exception as error:  # noqa: BLE001 - of any plugin; all others go on
        log.debug("What figures() of plugin %s tells is not used: %r", plugin.name, error)
        return []


def read_info(worker: Any, version: str) -> Reading:
    """Returns the gauge that says what runs.

    Args:
        worker: the worker.
        version: that of core.
    """
    labels = (version, platform.python_version(), broker_kind(worker))
    return "worker_info", labels, 1.0
