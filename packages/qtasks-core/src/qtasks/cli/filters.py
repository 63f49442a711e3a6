"""Which tasks a command is about."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
import typer

from qtasks._core.client import Client
from qtasks.cli.durations import parse_span
from qtasks.cli.values import choices
from qtasks.exc import ConfigError, TaskArgumentsError
from qtasks.schemas import Page, RecordQuery, TaskStatusEnum

__all__ = [
    "All",
    "ErrorType",
    "EveryOne",
    "Filters",
    "Limit",
    "QueueName",
    "Reason",
    "Since",
    "Status",
    "TaskName",
    "Until",
    "check",
    "pages",
]

#: The most records of one page.
_PAGE = 500

QueueName = Annotated[str | None, typer.Option("--queue", metavar="NAME", help="Only this queue.")]
TaskName = Annotated[
    str | None, typer.Option("--task", metavar="NAME", help="Only tasks of this name.")
]
ErrorType = Annotated[
    str | None,
    typer.Option(
        "--error", metavar="TEXT", help="Only this exception, or this text in its message."
    ),
]
Reason = Annotated[
    str | None, typer.Option(metavar="WORD", help="Only this reason, such as worker_lost.")
]
Since = Annotated[
    str | None,
    typer.Option(metavar="SPAN", help="Not older than 30s, 15m, 1h30m, 2d, 1w."),
]
Until = Annotated[
    str | None,
    typer.Option(metavar="SPAN", help="Not younger than this, such as 2h."),
]
Limit = Annotated[str, typer.Option(metavar="N", help="The most to list.")]
Status = Annotated[
    str | None, typer.Option("--status", metavar=choices(TaskStatusEnum), help="Only this status.")
]
All = Annotated[bool, typer.Option("--all", help="All of them, however many.")]
EveryOne = Annotated[bool, typer.Option("--all", help="All that the filters leave.")]


@dataclass(frozen=True)
class Filters:
    """What was asked for; None does not filter.

    Attributes:
        status: only this status.
        queue: only this queue.
        task: only this task name.
        dead: True for dead letters alone.
        error: only this exception type, or this text in the message.
        reason: only this reason.
        since: the longest age, such as ``1h``.
        until: the shortest age.

    Raises:
        ConfigError: a text is empty, as of a variable that is not set, or is not Unicode.
    """

    status: TaskStatusEnum | None = None
    queue: str | None = None
    task: str | None = None
    dead: bool | None = None
    error: str | None = None
    reason: str | None = None
    since: str | None = None
    until: str | None = None

    def __post_init__(self) -> None:
        for name in ("task", "queue", "error", "reason"):
            _refuse_blank(f"--{name}", getattr(self, name))

    def query(self, now: float) -> RecordQuery:
        """Returns the question for the storage.

        Raises:
            ConfigError: ``since`` or ``until`` is no span of time.
        """
        return RecordQuery(
            status=self.status,
            queue=self.queue,
            task=self.task,
            dead=self.dead,
            error=self.error,
            reason=self.reason,
            since=_moment("--since", self.since, now),
            until=_moment("--until", self.until, now),
            limit=_PAGE,
        )

    @property
    def given(self) -> list[str]:
        """The options that narrow the tasks down, as they were written."""
        names = ("task", "queue", "status", "error", "reason", "since", "until")
        return [f"--{name}" for name in names if getattr(self, name) is not None]


def _refuse_blank(option: str, text: str | None) -> None:
    """Refuses what would match everything or nothing, where somebody meant a part."""
    if text is None:
        return
    if not text.strip():
        msg = f"{option} {text!r} is empty: write what to look for, or leave the option out"
        raise ConfigError(msg)
    try:
        text.encode()
    except UnicodeEncodeError:
        msg = f"{option} {text!r} is no valid UTF-8: write it in the encoding of the terminal"
        raise ConfigError(msg) from None


def _moment(option: str, span: str | None, now: float) -> float | None:
    return None if span is None else now - parse_span(option, span).total_seconds()


def check(ids: Sequence[str] | None, filters: Filters, what: str, *, all_: bool) -> None:
    """Refuses what names none of them, or names them twice.

    Args:
        ids: the ids that were given.
        filters: the filters that were given.
        what: what the command is about, in the plural.
        all_: whether ``--all`` was given.

    Raises:
        TaskArgumentsError: ids and ``--all`` do not stand alone, or filters stand without it.
    """
    if bool(ids) == all_ and not (filters.given and not ids):
        msg = f"name the ids of {what}, or say --all; not both"
    elif filters.given and not all_:
        names = " and ".join(filters.given)
        need = "needs" if len(filters.given) == 1 else "need"
        msg = f"{names} {need} --all, of which filters leave a part; or name ids, without filters"
    else:
        return
    raise TaskArgumentsError(msg)


async def pages(client: Client, query: RecordQuery, limit: int | None) -> AsyncIterator[Page]:
    """Yields pages of at most ``limit`` records in all; None reads to the end."""
    while True:
        size = _PAGE if limit is None else min(_PAGE, limit)
        page = await client.page(msgspec.structs.replace(query, limit=size))
        yield page
        if limit is not None:
            limit -= len(page.records)
        if page.cursor is None or limit == 0:
            return
        query = msgspec.structs.replace(query, cursor=page.cursor)
