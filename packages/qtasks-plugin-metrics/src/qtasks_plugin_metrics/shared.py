"""A ledger for what comes from any thread, and seldom enough for a lock."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from qtasks_plugin_metrics.guard import UNKNOWN, ErrorWords, Words
from qtasks_plugin_metrics.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtasks.schemas import Message, Record
    from qtasks_plugin_metrics.cells import HistogramCell

__all__ = ["KnownQueues", "SharedLedger", "error_name"]


def error_name(error: BaseException) -> str:
    """Returns what an exception is called in labels: its class, never what it says."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else _qualified(kind)


def _qualified(kind: type[BaseException]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


class KnownQueues:
    """Knows the queues that somebody has registered: in the settings, or with a task."""

    def __init__(self) -> None:
        self._known: tuple[Any, int, frozenset[str]] = (None, 0, frozenset())

    def __call__(self, app: Any) -> frozenset[str]:
        """Returns those of an app; they are looked up anew when there are other tasks."""
        owner, count, known = self._known
        if owner is not app or count != len(app.tasks):
            known = frozenset({*app.config.queues, *(task.queue for task in app.tasks.values())})
            self._known = app, len(app.tasks), known
        return known


class _AddingCells:
    """What is counted of a task that is added to a queue."""

    __slots__ = ("duration", "enqueued", "size")

    def __init__(self, ledger: Ledger, queue: str, task: str) -> None:
        self.enqueued = ledger.counter("tasks_enqueued", queue, task)
        self.size = ledger.histogram("enqueue_payload_bytes", queue)
        self.duration = ledger.histogram("enqueue_duration_seconds", queue)


class SharedLedger:
    """Adds up what any thread tells.

    Attributes:
        ledger: where it is added up.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._lock = threading.Lock()
        self._errors, self._plugins, self._hooks = ErrorWords(), Words(), Words()
        self._reasons = Words()
        self._queues = KnownQueues()
        self._adding: dict[tuple[str, str], _AddingCells] = {}

    def count(self, name: str, *labels: str) -> None:
        """Adds 1 to a counter."""
        with self._lock:
            self.ledger.counter(name, *labels).inc()

    def plugin_failed(self, plugin: str, hook: str) -> None:
        """Counts a failure of a plugin."""
        self.count("plugin_hook_errors", self._plugins(plugin), self._hooks(hook))

    def expect_children(self) -> None:
        """Makes the counters of worker processes that die."""
        with self._lock:
            for reason in ("signal", "exit", "failed"):
                self.ledger.counter("worker_child_exits", reason)

    def child_exited(self, reason: str) -> None:
        """Counts a worker process that ended."""
        self.count("worker_child_exits", self._reasons(reason))

    def convicted(self, app: Any, record: Record | None, reason: str) -> None:
        """Counts a task that is a dead letter without a run.

        Args:
            app: the app.
            record: its record, or None if that cannot be had.
            reason: why it is dead.
        """
        queue = task = UNKNOWN
        if record is not None:
            # A worker looks after all queues of its broker, those of other apps among them.
            queue = record.queue if record.queue in self._queues(app) else UNKNOWN
            task = record.task if record.task in app.tasks else UNKNOWN
        self.count("tasks_finished", queue, task, "fail")
        self.count("dead_letters", queue, task, self._reasons(reason))

    def published(self, app: Any, messages: Sequence[Message], seconds: float) -> None:
        """Counts messages that the broker has acknowledged.

        Args:
            app: the app that added them.
            messages: what was added.
            seconds: how long it took.
        """
        with self._lock:
            if len(messages) == 1:  # as most calls are
                (message,) = messages
                key = message.queue, message.task
                cells = self._adding.get(key) or self._open(app, *key)
                cells.enqueued.value += 1
                cells.size.observe(len(message.payload))
                cells.duration.observe(seconds)
                return
            durations: set[HistogramCell] = set()
            for (queue, task), sizes in _sizes(messages).items():
                cells = self._adding.get((queue, task)) or self._open(app, queue, task)
                cells.enqueued.value += len(sizes)
                cells.size.observe_all(sizes)
                durations.add(cells.duration)
            for duration in durations:
                duration.observe(seconds)

    def _open(self, app: Any, queue: str, task: str) -> _AddingCells:
        """Returns the cells of a task in a queue; names that nobody has registered are not kept."""
        known = queue in self._queues(app), task in app.tasks
        shown = queue if known[0] else UNKNOWN, task if known[1] else UNKNOWN
        cells = _AddingCells(self.ledger, *shown)
        if all(known):
            self._adding[queue, task] = cells
        return cells

    def not_published(self, app: Any, messages: Sequence[Message], error: BaseException) -> None:
        """Counts messages that could not be added.

        Args:
            app: the app.
            messages: what was to be added.
            error: why not.
        """
        queues, kind = self._queues(app), self._errors(error_name(error))
        with self._lock:
            for queue, count in Counter(message.queue for message in messages).items():
                known = queue if queue in queues else UNKNOWN
                self.ledger.counter("enqueue_errors", known, kind).inc(count)


def _sizes(messages: Sequence[Message]) -> Mapping[tuple[str, str], list[float]]:
    """Returns the sizes of messages in bytes, by queue and task; most calls add one task's."""
    queues = {message.queue for message in messages}
    tasks = {message.task for message in messages}
    if len(queues) == len(tasks) == 1:
        return {(queues.pop(), tasks.pop()): [len(message.payload) for message in messages]}
    sizes: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for message in messages:
        sizes[message.queue, message.task].append(len(message.payload))
    return sizes
