"""``qtasks tasks``: lists tasks and shows one; cancel.py cancels."""

from typing import Annotated, Any

import typer

from qtasks._core.client import Client
from qtasks.cli.filters import All, Filters, Limit, QueueName, Since, Status, TaskName, pages
from qtasks.cli.grammar import Command, Group
from qtasks.cli.ids import whole_ids
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.known import note_no_match
from qtasks.cli.records import Listing, document, print_one
from qtasks.cli.values import parse_choice, parse_whole
from qtasks.exc import UnknownTaskError
from qtasks.schemas import Record, TaskStatusEnum

__all__ = ["find", "list_and_print", "tasks"]

tasks = typer.Typer(cls=Group, no_args_is_help=True, help="Look at tasks, or cancel them.")


@tasks.command("list", cls=Command)
def list_tasks(
    ctx: typer.Context,
    *,
    task: TaskName = None,
    queue: QueueName = None,
    status: Status = None,
    since: Since = None,
    limit: Limit = "50",
    all_: All = False,
    as_json: AsJson = False,
) -> None:
    """List tasks, newest first.

    Examples:
    qtasks -A shop:app tasks list --status error --since 1h
    qtasks -A shop:app tasks list --task resize --all --json
    """
    asked = invocation(ctx, as_json=as_json)
    wanted = None if status is None else parse_choice("--status", status, TaskStatusEnum)
    filters = Filters(status=wanted, queue=queue, task=task, since=since)
    most = parse_whole("--limit", limit, 1)
    list_and_print(asked, filters, None if all_ else most, "tasks")


@tasks.command(cls=Command)
def show(
    ctx: typer.Context,
    task_id: Annotated[str, typer.Argument(metavar="ID", help="The task's id, or its end.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show all that is known about a task: arguments, result, history, error and traceback.

    Example:
    qtasks -A shop:app tasks show 0b9be4f2-3c1c-4c4e-9a5c-7d1f5f6f2a10
    """
    asked = invocation(ctx, as_json=as_json)
    record = find(asked, task_id)
    if asked.as_json:
        asked.output.document(document(record, whole=True))
        return
    print_one(asked.output, record)


def list_and_print(asked: Invocation, filters: Filters, limit: int | None, what: str) -> None:
    """Lists records and prints them; ``limit`` None means all."""
    now = asked.app.clock.time()
    query = filters.query(now)
    documents: list[dict[str, Any]] = []
    listing = Listing(asked.output, now)

    async def read(client: Client) -> tuple[int, bool]:
        count, more = 0, False
        async for page in pages(client, query, limit):
            count += len(page.records)
            more = page.cursor is not None
            if asked.as_json:
                documents.extend(map(document, page.records))
            else:
                listing.add(page.records)
        listing.close()
        return count, more

    count, more = asked.ask(read)
    if asked.as_json:
        asked.output.document(documents)
    if not count:
        note_no_match(asked, filters, what)
    elif more and not asked.as_json:
        asked.output.note(f"there are more than these {count:,}; see --limit and --all")


def find(asked: Invocation, task_id: str, *, dead: bool | None = None) -> Record:
    """Returns the record of a task.

    Args:
        asked: the invocation.
        task_id: the id, or at least its last six characters.
        dead: True to look for an end among dead letters alone.

    Raises:
        TaskArgumentsError: it cannot be an id, or several begin so.
        UnknownTaskError: there is no record.
    """
    (wanted,) = whole_ids(asked, [task_id], dead=dead)
    record = asked.ask(lambda client: client.get([wanted]))[0]
    if record is None:
        msg = (
            f"no record of task {wanted} in {asked.place}: its result_ttl has passed,"
            " the task has store_result=False, or it never was"
        )
        raise UnknownTaskError(msg)
    return record
