"""The plugin."""

from __future__ import annotations

import os
import threading
import time
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from qtasks.plugins import Plugin, on

from qtasks_plugin_audit import options
from qtasks_plugin_audit.lines import line_of

if TYPE_CHECKING:
    from qtasks.schemas import Delivery, Outcome, TaskDefinition

__all__ = ["AuditPlugin"]


class AuditPlugin(Plugin):
    """Writes a line to a file whenever a task ends.

    All worker processes of a machine may write to one file: a line is written at once, at the
    end of the file, and is never mixed with another.

    Args:
        name: its name.
        options: its options; None to have them read from environment and settings file.
    """

    plugin_api = "1.0"
    Options = options.Options

    def __init__(self, name: str = "audit", options: options.Options | None = None) -> None:
        super().__init__(name, options)
        self._lock = threading.Lock()
        self._file: int | None = None

    def applies(self, task: TaskDefinition) -> bool:
        """Tells whether a task is written down; asked when it is registered.

        Args:
            task: the task.
        """
        return any(fnmatchcase(task.name, pattern) for pattern in self._told().tasks)

    def start(self, role: str = "worker") -> None:
        """Opens the file, so that one that cannot be written is told before a task runs.

        Args:
            role: what the process does with the app; only workers write.

        Raises:
            OSError: the file cannot be opened.
        """
        if role == "worker":
            with self._lock:
                self._opened()

    def stop(self) -> None:
        """Closes the file."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    @on("worker_outcome", blocking=True)
    def write(
        self, worker: Any, task_broker: Delivery, outcome: Outcome, final: bool, fenced: bool
    ) -> None:
        """Writes an end, if the broker has accepted it.

        Args:
            worker: the worker.
            task_broker: the delivery.
            outcome: how its run ended.
            final: whether the task is over.
            fenced: whether the broker refused the end, because another worker has the task now.

        Raises:
            OSError: the file cannot be written.
        """
        if fenced or not (final or self._told().runs):
            return
        line = line_of(worker.id, task_broker, outcome, final, time.time())
        with self._lock:
            os.write(self._opened(), line)

    def _told(self) -> options.Options:
        return self.options or self.Options()

    def _opened(self) -> int:
        """Returns the open file."""
        if self._file is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            self._file = os.open(self._told().path, flags, 0o600)  # names of tasks tell a lot
        return self._file
