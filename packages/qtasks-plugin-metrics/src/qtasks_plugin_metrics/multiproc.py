"""Programs that add tasks from several processes, such as gunicorn.

Here the values live in files that ``prometheus_client`` shares between the processes, so that
whichever of them is scraped answers for all. In ``gunicorn.conf.py``::

    from qtasks_plugin_metrics import multiproc

    multiproc.prepare()


    def child_exit(server, worker):
        multiproc.forget(worker.pid)
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtasks.exc import ConfigError
from qtasks_plugin_metrics.declarations import METRICS, PREFIX, Kind
from qtasks_plugin_metrics.guard import UNKNOWN, ErrorWords
from qtasks_plugin_metrics.shared import KnownQueues, error_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import CollectorRegistry

    from qtasks.schemas import Message

__all__ = ["FileTally", "forget", "make_registry", "prepare"]

_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
#: What prometheus_client calls its files; others, such as those of queues, are not touched.
_VALUES: Final = re.compile(r"(counter|summary|histogram|gauge_[a-z]+)_\d+\.db")


def prepare() -> str:
    """Makes the folder of the values, empty, and returns its path.

    To be called once, by the process that starts the others and before anything imports
    ``prometheus_client``. A folder that ``PROMETHEUS_MULTIPROC_DIR`` names is emptied of its files
    of values; without one a temporary one is made, and removed at the end.

    Raises:
        ConfigError: ``prometheus_client`` was imported already, or the folder cannot be used.
    """
    folder = os.environ.get(_FOLDER) or None
    if "prometheus_client.values" in sys.modules and folder is None:
        msg = (
            "multiproc.prepare() comes too late: prometheus_client was imported without"
            f" {_FOLDER}; call it first of all, or set {_FOLDER}"
        )
        raise ConfigError(msg)
    if folder is None:
        folder = os.environ[_FOLDER] = tempfile.mkdtemp(prefix="qtasks-metrics-")
        atexit.register(_remove, folder, os.getpid())
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for path in Path(folder).glob("*.db"):
            if _VALUES.fullmatch(path.name):
                path.unlink()
    except OSError as error:
        msg = f"{_FOLDER}={folder!r} cannot be used: {error}; name a folder that may be written"
        raise ConfigError(msg) from None
    return folder


def _remove(folder: str, owner: int) -> None:
    """Removes the folder; not at the end of a process that was forked from its owner."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def forget(pid: int) -> None:
    """Removes what only a living process has, of one that has ended.

    Args:
        pid: its process id.
    """
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]  # it has no types


def make_registry() -> CollectorRegistry:
    """Returns a registry that shows the sum over all processes.

    Raises:
        ConfigError: there is no folder with their values.
    """
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    _check_folder()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it has no types
    return registry


class FileTally:
    """Counts calls that add tasks in files that several processes share.

    Raises:
        ConfigError: there is no folder for them.
    """

    def __init__(self) -> None:
        _check_folder()
        kinds = _kinds()
        # They are in no registry of this process: the collector reads the files.
        self._metrics = {
            metric.name: kinds[metric.kind](metric)
            for metric in METRICS
            if metric.source == "producer"
        }
        self._errors = ErrorWords()
        self._queues = KnownQueues()
        self._lock = threading.Lock()

    def published(self, app: Any, messages: Sequence[Message], seconds: float) -> None:
        """Counts messages that the broker has acknowledged."""
        queues, found = self._queues(app), self._metrics
        for message in messages:
            queue = message.queue if message.queue in queues else UNKNOWN
            task = message.task if message.task in app.tasks else UNKNOWN
            found["tasks_enqueued"].labels(queue, task).inc()
            found["enqueue_payload_bytes"].labels(queue).observe(len(message.payload))
        for queue in {message.queue for message in messages}:
            known = queue if queue in queues else UNKNOWN
            found["enqueue_duration_seconds"].labels(known).observe(seconds)

    def not_published(self, app: Any, messages: Sequence[Message], error: BaseException) -> None:
        """Counts messages that could not be added."""
        queues = self._queues(app)
        with self._lock:
            kind = self._errors(error_name(error))
        for queue, count in Counter(message.queue for message in messages).items():
            known = queue if queue in queues else UNKNOWN
            self._metrics["enqueue_errors"].labels(known, kind).inc(count)


def _kinds() -> dict[Kind, Any]:
    import prometheus_client

    def counter(metric: Any) -> Any:
        return prometheus_client.Counter(
            PREFIX + metric.name, metric.doc, metric.labels, registry=None
        )

    def histogram(metric: Any) -> Any:
        name, buckets = PREFIX + metric.name, metric.buckets
        return prometheus_client.Histogram(
            name, metric.doc, metric.labels, buckets=buckets, registry=None
        )

    return {Kind.COUNTER: counter, Kind.HISTOGRAM: histogram}


def _check_folder() -> None:
    folder = os.environ.get(_FOLDER)
    if not folder or not Path(folder).is_dir():
        msg = (
            f"mode='multiproc' and {_FOLDER}={folder!r}: call"
            " qtasks_plugin_metrics.multiproc.prepare() in the process that starts the others,"
            " before prometheus_client is imported"
        )
        raise ConfigError(msg)
