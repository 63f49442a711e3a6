"""``qtasks dead``: tasks that failed for good, and what to do with them."""

from collections.abc import Sequence
from typing import Annotated

import typer

from qtasks._core.dead_letters import DeadLetters
from qtasks.cli.asking import Yes
from qtasks.cli.dead_bulk import Advance, Deed, DryRun, Wanted, handle
from qtasks.cli.dead_export import export
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
    Until,
)
from qtasks.cli.grammar import Command, Group
from qtasks.cli.invocation import AsJson, invocation
from qtasks.cli.records import document, print_one
from qtasks.cli.tasks import find, list_and_print
from qtasks.cli.values import parse_whole
from qtasks.exc import UnknownTaskError

__all__ = ["dead"]

dead = typer.Typer(
    cls=Group, no_args_is_help=True, help="Look at dead letters, requeue, discard or export them."
)

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="Their ids, or the ends of them.")
]
Most = Annotated[
    str | None, typer.Option("--limit", metavar="N", help="The most of them, the newest ones.")
]


@dead.command("list", cls=Command)
def list_dead(
    ctx: typer.Context,
    *,
    task: TaskName = None,
    queue: QueueName = None,
    error: ErrorType = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
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
    filters = Filters(
        task=task, error=error, reason=reason, since=since, until=until, queue=queue, dead=True
    )
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
    dry_run: DryRun = False,
    task: TaskName = None,
    queue: QueueName = None,
    error: ErrorType = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    limit: Most = None,
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

    Each moves once, however often it is asked for.

    Examples:
    qtasks -A shop:app dead requeue 0b9be4f2-3c1c-4c4e-9a5c-7d1f5f6f2a10
    qtasks -A shop:app dead requeue --all --error ConnectionError --spread 10m
    """
    asked = invocation(ctx, as_json=as_json)
    seconds = parse_span("--spread", spread).total_seconds()

    async def do(dead: DeadLetters, page: Sequence[str], advance: Advance) -> Sequence[str]:
        return await dead.requeue(
            page, reset_attempts=not keep_attempts, spread=seconds, advance=advance
        )

    filters = Filters(
        task=task, error=error, reason=reason, since=since, until=until, queue=queue, dead=True
    )
    most = None if limit is None else parse_whole("--limit", limit, 1)
    handle(asked, Wanted(ids, filters, all_, most, dry_run), Deed(do, "requeued"))


@dead.command(cls=Command)
def discard(
    ctx: typer.Context,
    ids: Ids = None,
    *,
    all_: EveryOne = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    task: TaskName = None,
    queue: QueueName = None,
    error: ErrorType = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    limit: Most = None,
    as_json: AsJson = False,
) -> None:
    """Remove dead letters for good, with their records.

    Examples:
    qtasks -A shop:app dead discard 0b9be4f2-3c1c-4c4e-9a5c-7d1f5f6f2a10
    qtasks -A shop:app dead discard --all --task resize --yes
    """
    asked = invocation(ctx, as_json=as_json)

    async def do(dead: DeadLetters, page: Sequence[str], advance: Advance) -> Sequence[str]:
        return await dead.discard(page, advance=advance)

    filters = Filters(
        task=task, error=error, reason=reason, since=since, until=until, queue=queue, dead=True
    )
    most = None if limit is None else parse_whole("--limit", limit, 1)
    deed = Deed(
        do,
        "discarded",
        f"Remove these dead letters from {asked.place} for good?",
        "discard --all removes records for good",
    )
    handle(asked, Wanted(ids, filters, all_, most, dry_run, yes), deed)


dead.command(cls=Command)(export)
