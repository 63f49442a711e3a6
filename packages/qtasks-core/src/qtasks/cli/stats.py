"""``qtasks stats``: how the queues stand."""

import time
from typing import Annotated, Any

import msgspec
import typer

from qtasks._core.client import Client
from qtasks.cli.durations import span_text
from qtasks.cli.invocation import AsJson, Invocation, invocation
from qtasks.schemas import Presence, QueueStats

__all__ = ["stats"]


def stats(
    ctx: typer.Context,
    queues: Annotated[
        list[str] | None, typer.Argument(metavar="QUEUE...", help="Only these queues.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show how many tasks each queue holds, and which workers are alive.

    Ready tasks may run now, delayed ones later, and running ones are in the
    hands of a worker. Finished ones count as long as their records are kept.

    Examples:
    qtasks -A shop:app stats
    qtasks -A shop:app stats mail --json
    """
    asked = invocation(ctx, as_json=as_json)

    async def look(client: Client) -> tuple[list[QueueStats], list[Presence]]:
        return await client.stats(queues or None), await client.workers()

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
        ["queue", "ready>", "delayed>", "running>", "dead>", "finished>", "oldest>", "state"],
        [_queue_row(queue) for queue in found],
    )
    out.line()
    if not workers:
        out.line(f"no worker is alive; start one: {asked.command('run')}")
        return
    out.table(["worker", "running>", "slots>", "up>", "queues"], [_worker_row(w) for w in workers])


def _queue_row(queue: QueueStats) -> list[Any]:
    return [
        queue.queue,
        f"{queue.ready:,}",
        f"{queue.delayed:,}",
        f"{queue.leased:,}",
        f"{queue.dead:,}",
        f"{queue.finished:,}",
        span_text(queue.oldest_ready_age),
        "paused" if queue.paused else "",
    ]


def _worker_row(worker: Presence) -> list[Any]:
    up = span_text(time.time() - worker.started_at)
    return [worker.worker, worker.running, worker.slots, up, ", ".join(worker.queues)]
