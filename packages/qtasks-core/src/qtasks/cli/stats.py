"""``qtasks stats``: how the queues stand."""

import time
from typing import Annotated, Any

import msgspec
import typer

from qtasks._core.client import Client
from qtasks.cli.durations import span_text
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.cli.known import known_queues, unknown_queue
from qtasks.cli.tables import Column
from qtasks.cli.values import queue_names
from qtasks.exc import TaskArgumentsError
from qtasks.schemas import Presence, QueueStats

__all__ = ["stats"]


def stats(
    ctx: typer.Context,
    queues: Annotated[
        list[str] | None, typer.Argument(metavar="QUEUE", help="Only these queues.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show how many tasks each queue holds, and which workers are alive.

    Ready tasks may run now, delayed ones later, and running ones are in the
    hands of a worker. Finished ones count as long as their records are kept.
    Dropped are dead letters that went unseen: too many or too old.
    A queue that nobody knows is refused.

    Examples:
    qtasks -A shop:app stats
    qtasks -A shop:app stats mail --json
    """
    asked = invocation(ctx, as_json=as_json)
    names = queue_names("QUEUE", queues or ())

    async def look(client: Client) -> tuple[list[QueueStats], list[Presence]]:
        found = await client.stats(names or None)
        if unsure := [queue.queue for queue in found if names and not _holds(queue)]:
            known = [queue.queue for queue in await known_queues(asked, client)]
            for name in unsure:
                if name not in known:
                    raise TaskArgumentsError(unknown_queue(asked, name, known))
        return found, await client.workers()

    found, workers = asked.ask(look)
    if asked.as_json:
        asked.output.document(
            {
                "place": asked.place,
                "queues": [msgspec.structs.asdict(queue) for queue in found],
                "workers": [msgspec.structs.asdict(worker) for worker in workers],
            }
        )
        return
    _print(asked, found, workers)


def _print(asked: Invocation, found: list[QueueStats], workers: list[Presence]) -> None:
    out = asked.output
    out.line(asked.place)
    out.line()
    out.table(
        [
            Column("queue"),
            Column("ready", right=True),
            Column("delayed", right=True),
            Column("running", right=True),
            Column("dead", right=True),
            Column("finished", right=True),
            *([Column("dropped", right=True)] if _any_dropped(found) else []),
            Column("oldest", right=True, spare=2),
            Column("state", spare=0 if any(queue.paused for queue in found) else 1),
        ],
        [_queue_row(queue, dropped=_any_dropped(found)) for queue in found],
    )
    out.line()
    if not workers:
        out.line(asked.nobody_works)
        return
    out.table(
        [
            Column("worker"),
            Column("running", right=True),
            Column("slots", right=True),
            Column("up", right=True),
            Column("queues", wraps=True),
        ],
        [_worker_row(worker) for worker in workers],
    )


def _holds(queue: QueueStats) -> bool:
    """Whether a queue is surely known, because something is in it or it is paused."""
    counts = (queue.ready, queue.delayed, queue.leased, queue.dead, queue.finished)
    return queue.paused or any(counts)


def _any_dropped(found: list[QueueStats]) -> bool:
    """Whether dead letters were dropped, which most queues never see."""
    return any(queue.dropped for queue in found)


def _queue_row(queue: QueueStats, *, dropped: bool) -> list[Any]:
    return [
        queue.queue,
        f"{queue.ready:,}",
        f"{queue.delayed:,}",
        f"{queue.leased:,}",
        f"{queue.dead:,}",
        f"{queue.finished:,}",
        *([f"{queue.dropped:,}"] if dropped else []),
        span_text(queue.oldest_ready_age),
        "paused" if queue.paused else "",
    ]


def _worker_row(worker: Presence) -> list[Any]:
    up = span_text(time.time() - worker.started_at)
    return [worker.worker, worker.running, worker.slots, up, ", ".join(worker.queues)]
