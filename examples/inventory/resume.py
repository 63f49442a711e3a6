"""What makes a run go on where an earlier start of it was stopped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4, uuid5

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from qtasks import QueueTasks, TaskHandle


class Run:
    """One run over a folder, which may take several starts.

    Its id is in a file from the first start until the run is complete. The ids of tasks are made
    from it and from what identifies a file, so adding them again adds nothing twice.
    """

    def __init__(self, path: Path, root: Path, broker: str) -> None:
        self._path = path
        self._key = {"root": str(root), "broker": broker}
        self.resumed = False
        self._id = uuid4()
        try:
            saved = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            saved = {}
        if self._key.items() <= saved.items():
            self._id, self.resumed = UUID(saved["id"]), True
        self._save()

    def task_id(self, file: Path) -> str:
        """Returns the id of a file's task; a file that was changed gets another."""
        status = file.stat()
        return str(uuid5(self._id, f"{file}:{status.st_mtime_ns}:{status.st_size}"))

    def start_over(self, app: QueueTasks, files: Iterable[Path]) -> None:
        """Forgets what was done; what still waits is cancelled."""
        if self.resumed:
            for file in files:
                app.cancel(self.task_id(file), "started over")
        self._id, self.resumed = uuid4(), False
        self._save()

    def finished(self, app: QueueTasks, ids: Iterable[str]) -> Iterator[TaskHandle[Any]]:
        """Yields the tasks that an earlier start has done."""
        if self.resumed:
            for task_id in ids:
                handle = app.get(task_id)
                if handle is not None and handle.finished:
                    yield handle

    def end(self) -> None:
        """Notes that the run is complete; the next one is a new one."""
        self._path.unlink()

    def _save(self) -> None:
        saved = {"id": str(self._id), **self._key}
        self._path.write_text(json.dumps(saved), encoding="utf-8")
