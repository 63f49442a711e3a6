"""``qtasks tasks cancel``: tasks that shall not run, or not go on."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, get_args

import msgspec
import typer

from qtasks._core.client import Client
from qtasks.cli.asking import Yes, confirm
from qtasks.cli.filters import EveryOne, Filters, QueueName, Since, TaskName, check, pages
from qtasks.cli.ids import whole_ids
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.known import note_no_match
from qtasks.cli.tables import Column
from qtasks.cli.values import parse_choice
from qtasks.exc import TaskArgumentsError
from qtasks.schemas import TERMINAL, CancelAnswer, RecordQuery, TaskStatusEnum

__all__ = ["cancel"]

#: What each answer means.
_MEANING: Final[dict[CancelAnswer, str]] = {
    "cancelled": "it will not run",
    "requested": "it runs; its worker was asked to stop it",
    "finished": "it was over before",
    "unknown": "there is no record of it",
}
#: Answers that nobody hoped for who named the task.
_BAD: Final = frozenset({"finished", "unknown"})
#: What can be cancelled, in the order in which it is looked for.
_UNFINISHED: Final = tuple(status for status in TaskStatusEnum if status not in TERMINAL)

Answers = dict[str, CancelAnswer]


def cancel(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Their ids, or the ends of them.")
    ] = None,
    *,
    why: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Is stored with the tasks.")
    ] = "cancelled from the command line",
    all_: EveryOne = False,
    yes: Yes = False,
    task: TaskName = None,
    queue: QueueName = None,
    status: Annotated[
        str | None,
        typer.Option("--status", metavar="|".join(_UNFINISHED), help="Only this status."),
    ] = None,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Cancel tasks: waiting ones at once, running ones by a request to their workers.

    With ids the exit code is 1 if one of them is unknown or was over before.

    Examples:
    qtasks -A shop:app tasks cancel 0b9be4f2-3c1c-4c4e-9a5c-7d1f5f6f2a10
    qtasks -A shop:app tasks cancel --all --task resize --since 1h
    """
    asked = invocation(ctx, as_json=as_json)
    wanted = None if status is None else parse_choice("--status", status, TaskStatusEnum)
    filters = Filters(task=task, queue=queue, status=wanted, since=since)
    check(ids, filters, "tasks", all_=all_)
    query = filters.query(asked.app.clock.time())
    statuses = _statuses(wanted)
    if not all_:
        named = list(dict.fromkeys(whole_ids(asked, ids or ())))
        answers = dict(asked.ask(lambda client: client.cancel(named, why)))
        _print(asked, answers)
        if _BAD.intersection(answers.values()):
            raise typer.Exit(1)
        return
    if not yes:
        of = "the unfinished tasks that match" if filters.given else "all unfinished tasks"
        confirm(f"Cancel {of} in {asked.place}?", "cancel --all ends tasks for good")
    with asked.output.progress("cancelled", None) as advance:
        answers = asked.ask(lambda client: _cancel_all(client, query, statuses, why, advance))
    _print_counts(asked, answers)
    if not answers:
        note_no_match(asked, filters, "unfinished tasks")


def _statuses(wanted: TaskStatusEnum | None) -> Sequence[TaskStatusEnum]:
    if wanted is None:
        return _UNFINISHED
    if wanted in TERMINAL:
        known = ", ".join(_UNFINISHED)
        msg = f"--status {wanted}: such tasks are over; only {known} can be cancelled"
        raise TaskArgumentsError(msg)
    return (wanted,)


async def _cancel_all(
    client: Client,
    query: RecordQuery,
    statuses: Sequence[TaskStatusEnum],
    reason: str,
    advance: Any,
) -> Answers:
    """Cancels what the filters leave, and looks twice: tasks change their status meanwhile."""
    answers: Answers = {}
    for status in (*statuses, *statuses):
        narrowed = msgspec.structs.replace(query, status=status)
        async for page in pages(client, narrowed, None):
            ids = [record.id for record in page.records if record.id not in answers]
            if ids:
                answers |= await client.cancel(ids, reason)
                advance(len(ids))
    return answers


def _print(asked: Invocation, answers: Answers) -> None:
    if asked.as_json:
        asked.output.document(_document(answers))
        return
    columns = [Column("id", shortens=True), Column("answer"), Column("what it means", wraps=True)]
    rows = [[task_id, answer, _MEANING[answer]] for task_id, answer in answers.items()]
    asked.output.table(columns, rows)


def _print_counts(asked: Invocation, answers: Answers) -> None:
    if asked.as_json:
        asked.output.document(_document(answers))
        return
    document = _document(answers)
    asked.output.line(f"cancelled {document['cancelled']:,} in {asked.place}")
    if count := document["requested"]:
        asked.output.line(f"asked the workers of {count:,} running ones to stop them")
    if count := document["finished"] + document["unknown"]:
        asked.output.note(f"{count:,} were over meanwhile")


def _document(answers: Answers) -> dict[str, Any]:
    given = list(answers.values())
    counts: dict[str, Any] = {word: given.count(word) for word in get_args(CancelAnswer)}
    return counts | {"answers": answers}
