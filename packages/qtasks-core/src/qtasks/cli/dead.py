"""``qtasks dead``: tasks that failed for good, and what to do with them."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

import typer

from qtasks._core.client import Client
from qtasks.cli.asking import Yes, confirm
from qtasks.cli.durations import parse_span
from qtasks.cli.filters import (
    All,
    ErrorType,
    EveryOne,
    Filters,
    Limit,
    QueueName,
    Reason,
    Since,
    TaskName,
    check,
    pages,
)
from qtasks.cli.grammar import Command, Group
from qtasks.cli.ids import whole_ids
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.known import note_no_match
from qtasks.cli.records import document, print_one
from qtasks.cli.tasks import find, list_and_print
from qtasks.cli.values import parse_whole
from qtasks.exc import UnknownTaskError

__all__ = ["dead"]

dead = typer.Typer(
    cls=Group, no_args_is_help=True, help="Look at dead letters, requeue or discard them."
)

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="Their ids, or the ends of them.")
]
#: What is done with a page of ids; returns the ids with which it was done.
Deed = Callable[[Client, Sequence[str]], Coroutine[Any, Any, Sequence[str]]]


@dead.command("list", cls=Command)
def list_dead(
    ctx: typer.Context,
    *,
    task: TaskName = None,
    queue: QueueName = None,
    error: ErrorType = None,
    reason: Reason = None,
    since: Since = None,
    limit: Limit = "50",
    all_: All = False,
    as_json: AsJson = False,
) -> None:
    """List tasks that failed for good, newest first.

    Examples:
    qtasks -A shop:app dead list --since 1d
    qtasks -A shop:app dead list --task resize --error OSError
    """
    asked = invocation(ctx, as_json=as_json)
    filters = Filters(task=task, error=error, reason=reason, since=since, queue=queue, dead=True)
    most = parse_whole("--limit", limit, 1)
    list_and_print(asked, filters, None if all_ else most, "dead letters")


@dead.command(cls=Command)
def show(
    ctx: typer.Context,
    task_id: Annotated[str, typer.Argument(metavar="ID", help="The task's id, or its end.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show a dead letter: arguments, history, error and traceback.

    Example:
    qtasks -A shop:app dead show 0b9be4f2-3c1c-4c4e-9a5c-7d1f5f6f2a10
    """
    asked = invocation(ctx, as_json=as_json)
    record = find(asked, task_id, dead=True)
    if not record.dead:
        msg = f"{record.id} is not a dead letter: its status is {record.status}"
        raise UnknownTaskError(msg)
    if asked.as_json:
        asked.output.document(document(record, whole=True))
        return
    print_one(asked.output, record)


@dead.command(cls=Command)
def requeue(
    ctx: typer.Context,
    ids: Ids = None,
    *,
    all_: EveryOne = False,
    task: TaskName = None,
    queue: QueueName = None,
    error: ErrorType = None,
    reason: Reason = None,
    since: Since = None,
    spread: Annotated[
        str,
        typer.Option(metavar="SPAN", help="Let them become due over this time, such as 10m."),
    ] = "0",
    keep_attempts: Annotated[
        bool, typer.Option("--keep-attempts", help="Go on counting attempts, not from 0.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back to their queues; they keep id and history.

    Examples:
    qtasks -A shop:app dead requeue 0b9be4f2-3c1c-4c4e-9a5c-7d1f5f6f2a10
    qtasks -A shop:app dead requeue --all --error ConnectionError --spread 10m
    """
    asked = invocation(ctx, as_json=as_json)
    seconds = parse_span("--spread", spread).total_seconds()

    async def do(client: Client, page: Sequence[str]) -> Sequence[str]:
        return await client.requeue(page, reset_attempts=not keep_attempts, spread=seconds)

    filters = Filters(task=task, error=error, reason=reason, since=since, queue=queue, dead=True)
    check(ids, filters, "dead letters", all_=all_)
    _handle(asked, ids, filters if all_ else None, do, "requeued")


@dead.command(cls=Command)
def discard(
    ctx: typer.Context,
    ids: Ids = None,
    *,
    all_: EveryOne = False,
    yes: Yes = False,
    task: TaskName = None,
    queue: QueueName = None,
    error: ErrorType = None,
    reason: Reason = None,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Remove dead letters for good, with their records.

    Examples:
    qtasks -A shop:app dead discard 0b9be4f2-3c1c-4c4e-9a5c-7d1f5f6f2a10
    qtasks -A shop:app dead discard --all --task resize --yes
    """
    asked = invocation(ctx, as_json=as_json)

    async def do(client: Client, page: Sequence[str]) -> Sequence[str]:
        return await client.discard(page)

    filters = Filters(task=task, error=error, reason=reason, since=since, queue=queue, dead=True)
    check(ids, filters, "dead letters", all_=all_)
    if all_ and not yes:
        confirm(
            f"Remove these dead letters from {asked.place} for good?",
            "discard --all removes records for good",
        )
    _handle(asked, ids, filters if all_ else None, do, "discarded")


def _handle(
    asked: Invocation, ids: Sequence[str] | None, filters: Filters | None, do: Deed, done: str
) -> None:
    """Does it with the named dead letters, or with all that the filters leave."""
    if filters is not None:
        count, others = _handle_all(asked, filters, do, done), list[str]()
    else:
        wanted = list(dict.fromkeys(whole_ids(asked, ids or (), dead=True)))
        moved = set(asked.ask(lambda client: do(client, wanted)))
        count, others = len(moved), [task_id for task_id in wanted if task_id not in moved]
    if asked.as_json:
        asked.output.document({done: count, "not_dead": others})
    else:
        asked.output.line(f"{done} {count:,} in {asked.place}")
        for task_id in others:
            asked.output.note(f"not a dead letter: {task_id}")
    if filters is not None and not count:
        note_no_match(asked, filters, "dead letters")
    if others:
        raise typer.Exit(1)


def _handle_all(asked: Invocation, filters: Filters, do: Deed, done: str) -> int:
    query = filters.query(asked.app.clock.time())

    async def each_page(client: Client) -> int:
        total = None
        if not filters.given:
            total = sum(queue.dead for queue in await client.stats())
        count = 0
        with asked.output.progress(done, total) as advance:
            async for page in pages(client, query, None):
                ids = [record.id for record in page.records]
                count += len(await do(client, ids)) if ids else 0
                advance(len(ids))
        return count

    return asked.ask(each_page)
