"""What ``qtasks dead requeue`` and ``discard`` do to many dead letters at once."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
import typer

from qtasks._core.client import Client
from qtasks._core.dead_letters import DeadLetters
from qtasks.cli.asking import confirm
from qtasks.cli.filters import Filters, check
from qtasks.cli.ids import whole_ids
from qtasks.cli.invocation import Invocation
from qtasks.cli.known import note_no_match
from qtasks.exc import PartlyDoneError, TaskArgumentsError

__all__ = ["Advance", "Deed", "DryRun", "Wanted", "handle"]

Advance: TypeAlias = Callable[[int], None]
#: What is done with ids; returns those with which it was done, and tells how far it is.
Do: TypeAlias = Callable[[DeadLetters, Sequence[str], Advance], Coroutine[Any, Any, Sequence[str]]]

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say how many that would be, and change nothing.")
]


class Deed(msgspec.Struct, frozen=True):
    """What is to be done.

    Attributes:
        do: does it.
        done: the word for it afterwards.
        question: what is asked before it is done to all, or None.
        unasked: what the command would do, for the error where nobody can be asked.
    """

    do: Do
    done: str
    question: str | None = None
    unasked: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """With which dead letters.

    Attributes:
        ids: their ids, as they were given.
        filters: what else was given.
        all_: whether ``--all`` was.
        limit: how many at the most; None for no limit.
        dry_run: whether nothing shall be done.
        yes: whether nobody has to be asked.
    """

    ids: Sequence[str] | None
    filters: Filters
    all_: bool
    limit: int | None = None
    dry_run: bool = False
    yes: bool = False


def handle(asked: Invocation, wanted: Wanted, deed: Deed) -> None:
    """Does it, says what was done, and with which ids it could not be done.

    Raises:
        TaskArgumentsError: it is not clear with which.
        typer.Exit: with 1, if an id is no dead letter or the server failed in between.
    """
    check(wanted.ids, wanted.filters, "dead letters", all_=wanted.all_)
    if wanted.limit is not None and not wanted.all_:
        msg = "--limit needs --all: ids name their own"
        raise TaskArgumentsError(msg)
    if deed.question and wanted.all_ and not (wanted.yes or wanted.dry_run):
        confirm(deed.question, deed.unasked)
    ids = (
        None if wanted.all_ else list(dict.fromkeys(whole_ids(asked, wanted.ids or (), dead=True)))
    )
    try:
        found, moved, hollow = asked.ask(lambda client: _do(asked, client, ids, wanted, deed))
    except PartlyDoneError as error:
        _tell(asked, deed, len(error.done), (), failed=str(error))
        raise typer.Exit(1) from None
    if wanted.dry_run:
        _tell_dry(asked, deed, len(found))
    known = {*moved, *hollow}
    others = [] if wanted.all_ or wanted.dry_run else [i for i in found if i not in known]
    if not wanted.dry_run:
        _tell(asked, deed, len(moved), others, hollow)
    if wanted.all_ and not found:
        note_no_match(asked, wanted.filters, "dead letters")
    if others or (hollow and not wanted.all_):
        raise typer.Exit(1)


async def _do(
    asked: Invocation, client: Client, ids: Sequence[str] | None, wanted: Wanted, deed: Deed
) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Returns the ids it was about, those with which it was done, and those without a task."""
    dead = await client.dead_letters()
    if ids is None:
        ids = await dead.find(wanted.filters.query(asked.app.clock.time()), wanted.limit)
    elif wanted.dry_run:
        records = await client.get(ids)
        return [record.id for record in records if record and record.dead], (), ()
    if wanted.dry_run or not ids:
        return ids, (), ()
    with asked.output.progress(deed.done, len(ids)) as advance:
        moved = await deed.do(dead, ids, advance)
    return ids, moved, dead.hollow


def _tell(
    asked: Invocation,
    deed: Deed,
    count: int,
    others: Sequence[str],
    hollow: Sequence[str] = (),
    *,
    failed: str = "",
) -> None:
    if asked.as_json:
        document: dict[str, Any] = {deed.done: count, "not_dead": list(others)}
        if hollow:
            document["without_task"] = list(hollow)
        asked.output.document(document | ({"failed": asked.clean(failed)} if failed else {}))
        return
    asked.output.line(f"{deed.done} {count:,} in {asked.place}")
    for task_id in others:
        asked.output.note(f"not a dead letter: {task_id}")
    for task_id in hollow:
        asked.output.note(f"not {deed.done}, as it could not be read and holds no task: {task_id}")
    if failed:
        asked.output.note(f"error: {asked.clean(failed)}", style="red")


def _tell_dry(asked: Invocation, deed: Deed, count: int) -> None:
    if asked.as_json:
        asked.output.document({deed.done: 0, "would_be": count})
    else:
        asked.output.line(f"{count:,} would be {deed.done} in {asked.place}; nothing was changed")
