"""Tasks for people and for programs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from qtasks.app.view import TaskView
from qtasks.cli.durations import span_text
from qtasks.cli.output import Output
from qtasks.cli.tables import Column, LongTable
from qtasks.exc import CodecError
from qtasks.schemas import HistoryEntry, Progress, Record, TaskStatusEnum

__all__ = ["Listing", "document", "print_one"]

#: The most characters of arguments and result that are shown to people.
_BOUND = 2000
#: The place of the column of progress in lists: behind the status.
_PROGRESS = 3
#: The columns of a list.
_COLUMNS = (
    Column("id", shortens=True),
    Column("task"),
    Column("status"),
    Column("progress", spare=4),
    Column("queue", spare=2),
    Column("age", right=True, spare=3),
    Column("ran", right=True, spare=1),
    Column("why", wraps=True),
)


def document(record: Record, *, whole: bool = False) -> dict[str, Any]:
    """Returns a task as a JSON document.

    Args:
        record: the task.
        whole: with arguments, result, traceback and history.
    """
    task = TaskView[Any](record)
    shown: dict[str, Any] = {
        "id": task.id,
        "task": task.task_name,
        "queue": task.queue,
        "status": task.status,
        "dead": record.dead,
        "reason": task.reason,
        "error": None
        if task.error is None
        else {"type": task.error.type, "message": task.error.message},
        "attempts": task.attempts,
        "progress": None if task.progress is None else msgspec.structs.asdict(task.progress),
        "created_at": _moment(record.created_at),
        "started_at": _moment(record.started_at),
        "finished_at": _moment(record.finished_at),
    }
    if whole:
        shown |= {
            "priority": record.priority,
            "due_at": _moment(record.due_at),
            "worker": record.worker,
            "deliveries": record.deliveries,
            "lost": record.lost,
            "requeues": record.requeues,
            "headers": record.headers,
            "parent_id": record.parent_id,
            "unique_key": record.unique_key,
            **_contents(task),
            "traceback": task.traceback,
            "history": [_entry(entry) for entry in task.history],
        }
    return shown


class Listing:
    """Writes one line for each task: short lists as one table, long ones page by page.

    How far tasks are is shown if one of them said so; of a long list, one of the first two pages.

    Args:
        out: where to write.
        now: the time that ages are counted to, seconds since the epoch.
    """

    def __init__(self, out: Output, now: float) -> None:
        self._out = out
        self._now = now
        self._first: list[list[Any]] = []
        self._long: LongTable | None = None
        self._told = False

    def add(self, records: Sequence[Record]) -> None:
        """Takes the next page; the first one waits until it is clear whether more follows."""
        rows = [_row(record, self._now) for record in records]
        if self._long is None:
            self._told = self._told or any(row[_PROGRESS] for row in rows)
        if not self._first:
            self._first = rows
        elif rows:
            if self._long is None:
                self._long = self._out.long_table(self._wanted(_COLUMNS))
                self._long.write([self._wanted(row) for row in self._first])
            self._long.write([self._wanted(row) for row in rows])

    def close(self) -> None:
        """Writes what has waited for more."""
        if self._first and self._long is None:
            rows = [self._wanted(row) for row in self._first]
            self._out.table(self._wanted(_COLUMNS), rows)

    def _wanted(self, row: Sequence[Any]) -> list[Any]:
        """Leaves out the progress, if nobody told any."""
        return [cell for place, cell in enumerate(row) if self._told or place != _PROGRESS]


def print_one(out: Output, record: Record) -> None:
    """Writes all that is known about a task."""
    task = TaskView[Any](record)
    contents = {name: bounded(value) for name, value in _contents(task).items()}
    if task.status is not TaskStatusEnum.SUCCESS:
        del contents["result"]
    out.fields(
        {
            "id": task.id,
            "task": task.task_name,
            "status": f"{task.status}, a dead letter" if record.dead else task.status,
            "reason": task.reason,
            "queue": f"{task.queue}, priority {task.priority}",
            **contents,
            "added": _local(record.created_at),
            "due": _local(record.due_at) if record.due_at > record.created_at else None,
            "started": _started(record),
            "finished": _finished(record),
            "worker": record.worker,
            "progress": _told(task.progress),
            "attempts": f"{record.attempts} failed, {record.deliveries} handed out"
            if record.deliveries
            else None,
            "requeued": f"{record.requeues} times" if record.requeues else None,
            "headers": record.headers or None,
            "added by": record.parent_id,
            "unique key": record.unique_key,
        }
    )
    if task.history:
        out.line()
        columns = [
            Column("run", right=True),
            Column("outcome"),
            Column("ran", right=True),
            Column("next in", right=True),
            Column("why", wraps=True),
        ]
        out.table(columns, _history(task.history))
    if task.error:
        out.line()
        out.block(task.error.traceback or f"{task.error.type}: {task.error.message}")


def bounded(value: Any) -> str:
    """Returns the repr of a value, cut where it gets too long to read."""
    text = repr(value)
    if len(text) <= _BOUND:
        return text
    return f"{text[:_BOUND]}... ({len(text):,} characters in all; --json has the rest)"


def _contents(task: TaskView[Any]) -> dict[str, Any]:
    """Returns arguments and result; a corrupted one is replaced by what is wrong with it."""
    contents: dict[str, Any] = {}
    for name, attribute in (("args", "args"), ("kwargs", "kwargs"), ("result", "returning")):
        try:
            contents[name] = getattr(task, attribute)
        except CodecError as error:
            contents[name] = f"<{error}>"
    return contents


def _row(record: Record, now: float) -> list[Any]:
    age = span_text(now - record.created_at)
    took = span_text(_took(record))
    told = _progress(TaskView[Any](record).progress)
    return [record.id, record.task, record.status, told, record.queue, age, took, _why(record)]


def _progress(progress: Progress | None) -> str:
    if progress is None:
        return ""
    if progress.fraction is None:
        return f"{progress.done:,}"
    return f"{progress.done:,} of {progress.total:,} ({progress.fraction:.0%})"


def _told(progress: Progress | None) -> str | None:
    if progress is None:
        return None
    parts = (_progress(progress), progress.note, f"at {_local(progress.at.timestamp())}")
    return ", ".join(part for part in parts if part)


def _why(record: Record) -> str:
    if record.error is None:
        return record.reason
    kind = record.error.type.rpartition(".")[2]
    return f"{kind}: {record.error.message}".partition("\n")[0]


def _took(record: Record) -> float | None:
    if record.started_at is None or record.finished_at is None:
        return None
    return record.finished_at - record.started_at


def _started(record: Record) -> str | None:
    moment = _local(record.started_at)
    if moment is None or record.started_at is None:
        return None
    return f"{moment}, waited {span_text(record.started_at - record.due_at)}"


def _finished(record: Record) -> str | None:
    moment, ran = _local(record.finished_at), span_text(_took(record))
    return f"{moment}, ran {ran}" if moment and ran else moment


def _history(entries: Sequence[HistoryEntry]) -> list[list[Any]]:
    return [
        [
            entry.delivery,
            entry.outcome,
            span_text(entry.finished - entry.started),
            span_text(entry.delay) if entry.delay else "",
            f"{entry.error_type}: {entry.message}" if entry.error_type else entry.message,
        ]
        for entry in entries
    ]


def _entry(entry: HistoryEntry) -> dict[str, Any]:
    shown = msgspec.structs.asdict(entry)
    return shown | {"started": _moment(entry.started), "finished": _moment(entry.finished)}


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _local(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"
