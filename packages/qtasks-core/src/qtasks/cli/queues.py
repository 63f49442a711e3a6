"""``qtasks queues``: looks after queues."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer

from qtasks._core.client import Client
from qtasks.cli.asking import Yes, confirm
from qtasks.cli.durations import span_text
from qtasks.cli.grammar import Command, Group
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.known import known_queues, unknown_queue
from qtasks.cli.tables import Column
from qtasks.cli.values import queue_names
from qtasks.exc import TaskArgumentsError
from qtasks.schemas import Presence, QueueStats

__all__ = ["queues"]

queues = typer.Typer(
    cls=Group, no_args_is_help=True, help="Look at queues; pause, resume or empty them."
)

Names = Annotated[list[str], typer.Argument(metavar="NAME", help="Their names.")]


@queues.command("list", cls=Command)
def list_queues(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """List all queues: those with tasks, those of the settings, those that tasks name.

    A queue is paused, or it works (tasks run), waits (tasks are ready and none
    runs) or is idle. Workers are those alive that take from it.

    Example:
    qtasks -A shop:app queues list
    """
    asked = invocation(ctx, as_json=as_json)

    async def look(client: Client) -> tuple[list[QueueStats], list[Presence]]:
        return await known_queues(asked, client), await client.workers()

    found, workers = asked.ask(look)
    if asked.as_json:
        asked.output.document(
            [
                msgspec.structs.asdict(queue) | {"workers": _served(queue, workers)}
                for queue in found
            ]
        )
        return
    columns = [
        Column("queue"),
        Column("state"),
        Column("ready", right=True),
        Column("delayed", right=True, spare=3),
        Column("running", right=True),
        Column("dead", right=True, spare=4),
        Column("finished", right=True, spare=1),
        Column("oldest", right=True, spare=5),
        Column("workers", right=True, spare=2),
    ]
    asked.output.table(columns, [_row(queue, workers) for queue in found])


@queues.command(cls=Command)
def pause(
    ctx: typer.Context,
    names: Names,
    *,
    new: Annotated[
        bool, typer.Option("--new", help="Also queues that nobody has added to yet.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Stop workers from taking tasks of queues; adding and finishing tasks go on.

    A pause outlives workers and restarts, until somebody resumes the queue.

    Examples:
    qtasks -A shop:app queues pause mail
    qtasks -A shop:app queues pause mail reports --json
    """
    _switch(invocation(ctx, as_json=as_json), names, paused=True, new=new)


@queues.command(cls=Command)
def resume(ctx: typer.Context, names: Names, *, as_json: AsJson = False) -> None:
    """Let workers take tasks of paused queues again.

    Example:
    qtasks -A shop:app queues resume mail
    """
    _switch(invocation(ctx, as_json=as_json), names, paused=False)


@queues.command(cls=Command)
def purge(ctx: typer.Context, names: Names, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove all tasks that wait in queues, with their records; running ones go on.

    Delayed tasks and those that wait for a retry are removed too.

    Examples:
    qtasks -A shop:app queues purge mail
    qtasks -A shop:app queues purge mail --yes --json
    """
    asked = invocation(ctx, as_json=as_json)
    found = _named(asked, names)
    if not yes and asked.app.broker.capabilities.purge:
        waiting = sum(queue.ready + queue.delayed for queue in found)
        which = ", ".join(queue.queue for queue in found)
        confirm(
            f"Remove what waits in {which} ({waiting:,} tasks) from {asked.place} for good?",
            "purge removes waiting tasks for good",
        )

    async def empty(client: Client) -> dict[str, int]:
        return {queue.queue: await client.purge(queue.queue) for queue in found}

    removed = asked.ask(empty)
    if asked.as_json:
        asked.output.document([{"queue": name, "removed": n} for name, n in removed.items()])
        return
    for name, count in removed.items():
        asked.output.line(f"removed {count:,} from {name} in {asked.place}")


def _switch(asked: Invocation, names: Sequence[str], *, paused: bool, new: bool = False) -> None:
    """Pauses or resumes queues, and says which of them were so before."""
    found = _named(asked, names, pausing=paused, new=new)

    async def switch(client: Client) -> None:
        for queue in found:
            await (client.pause if paused else client.resume)(queue.queue)

    asked.ask(switch)
    if asked.as_json:
        asked.output.document(
            [
                {"queue": queue.queue, "paused": paused, "changed": queue.paused is not paused}
                for queue in found
            ]
        )
        return
    done, before = ("paused", "was paused") if paused else ("resumed", "was not paused")
    for queue in found:
        if queue.paused is paused:
            asked.output.line(f"{queue.queue} {before} in {asked.place}")
        else:
            asked.output.line(f"{done} {queue.queue} in {asked.place}")


def _named(
    asked: Invocation, names: Sequence[str], *, pausing: bool = False, new: bool = False
) -> list[QueueStats]:
    """Returns how the named queues stand.

    Raises:
        TaskArgumentsError: one of them is neither known nor paused, and new ones are not allowed.
    """
    wanted = tuple(dict.fromkeys(queue_names("NAME", names)))

    async def look(client: Client) -> tuple[list[QueueStats], list[QueueStats]]:
        return await known_queues(asked, client), await client.stats(wanted)

    known, found = asked.ask(look)
    listed = [queue.queue for queue in known]
    for queue in found:
        if not (new or queue.paused or queue.queue in listed):
            hint = " To pause it before its first task, add --new." if pausing else ""
            raise TaskArgumentsError(unknown_queue(asked, queue.queue, listed) + hint)
    return found


def _served(queue: QueueStats, workers: Sequence[Presence]) -> int:
    return sum(queue.queue in worker.queues for worker in workers)


def _row(queue: QueueStats, workers: Sequence[Presence]) -> list[Any]:
    state = "paused" if queue.paused else "waits" if queue.ready else "idle"
    if queue.leased and not queue.paused:
        state = "works"
    return [
        queue.queue,
        state,
        f"{queue.ready:,}",
        f"{queue.delayed:,}",
        f"{queue.leased:,}",
        f"{queue.dead:,}",
        f"{queue.finished:,}",
        span_text(queue.oldest_ready_age),
        _served(queue, workers),
    ]
