"""Whether somebody works on what waits."""

from __future__ import annotations

import time
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Final

from qtasks._version import __version__
from qtasks.cli.durations import span_text
from qtasks.cli.known import known_queues
from qtasks.schemas import Finding, RecordQuery, TaskStatusEnum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks._core.client import Client
    from qtasks.cli.invocation import Invocation
    from qtasks.schemas import Presence, QueueStats, Record

__all__ = ["upkeep"]

#: How many of the newest tasks of a status are looked at.
_NEWEST: Final = 500
#: The share of ``dead_limit`` from which on somebody should look.
_NEARLY: Final = 0.9
#: Seconds by which clocks may differ without harm.
_CLOCKS: Final = 5.0
#: Seconds from which on tasks are long, and holding them ready keeps others idle.
_LONG: Final = 60.0


async def upkeep(asked: Invocation, client: Client) -> list[Finding]:
    """Looks at queues, workers and the newest tasks.

    Args:
        asked: the invocation.
        client: a connected client.
    """
    queues, workers = await known_queues(asked, client), await client.workers()
    waiting = [
        *await newest(client, TaskStatusEnum.NEW),
        *await newest(client, TaskStatusEnum.RETRY),
    ]
    return [
        *_workers(workers, time.time()),
        *_queues(asked, queues, workers),
        *_dead_letters(asked, queues),
        *_orphans(await newest(client, TaskStatusEnum.PROCESS), workers, asked),
        *_names(asked, waiting),
        *_durations(asked, await newest(client, TaskStatusEnum.SUCCESS)),
    ]


async def newest(client: Client, status: TaskStatusEnum) -> Sequence[Record]:
    """Returns the newest tasks of a status."""
    return (await client.page(RecordQuery(status=status, limit=_NEWEST))).records


def _workers(workers: Sequence[Presence], now: float) -> list[Finding]:
    if not workers:
        return [Finding("ok", "workers", "None is alive.")]
    found = [Finding("ok", "workers", f"{_count(len(workers), 'is', 'are')} alive.")]
    if others := sorted({w.version for w in workers if w.version} - {__version__}):
        found.append(
            Finding(
                "warning",
                "worker versions",
                f"Workers run qtasks-core {', '.join(others)}, and this is {__version__}.",
                "Finish the rollout: let all processes of a queue run one version.",
            )
        )
    for worker in workers:
        ahead = worker.started_at - now
        if ahead > _CLOCKS:
            found.append(
                Finding(
                    "warning",
                    "clock",
                    f"Worker {worker.worker} started {span_text(ahead)} in the future of this"
                    " machine's clock.",
                    "Let both machines set their clocks by NTP.",
                )
            )
    return found


def _queues(
    asked: Invocation, queues: Sequence[QueueStats], workers: Sequence[Presence]
) -> list[Finding]:
    served = {name for worker in workers for name in worker.queues}
    by_queue: dict[str, list[str]] = {}
    for task in asked.app.tasks.values():
        by_queue.setdefault(task.queue, []).append(task.name)
    found = []
    for queue in queues:
        name, since = queue.queue, span_text(queue.oldest_ready_age)
        waits = f"{_count(queue.ready, 'task waits', 'tasks wait')}, the oldest for {since},"
        subject = f"queue {name}"
        if queue.paused and queue.ready:
            text = f"{waits} and the queue is paused."
            fix = f"Run {asked.command(f'queues resume {name}')} when its cause is gone."
        elif queue.ready and name not in served:
            text = f"{waits} and no living worker takes from it."
            fix = f"Start one: {asked.command(f'run --queues {name}')}"
        elif name in by_queue and name not in served and name not in asked.app.config.queues:
            tasks = ", ".join(sorted(by_queue[name]))
            text = f"It is the queue of {tasks}, but the setting queues leaves it out."
            fix = f"Start a worker for it: {asked.command(f'run --queues {name}')}"
        else:
            continue
        found.append(Finding("warning", subject, text, fix))
    total = sum(queue.ready + queue.delayed for queue in queues)
    if not found:
        found.append(Finding("ok", "queues", f"{_count(total, 'task waits', 'tasks wait')}."))
    return found


def _dead_letters(asked: Invocation, queues: Sequence[QueueStats]) -> list[Finding]:
    """Says where dead letters are dropped, or soon will be, before anybody looks at them."""
    most = asked.app.config.dead_limit
    found = []
    for queue in queues:
        if queue.dead < _NEARLY * most:
            continue
        gone = _count(queue.dropped, "was", "were")
        dropped = f"; {gone} dropped before" if queue.dropped else ""
        found.append(
            Finding(
                "warning",
                f"dead letters of {queue.queue}",
                f"{queue.dead:,} of {most:,} that are kept{dropped}: beyond, the oldest go unseen.",
                f"Look at them: {asked.command('dead list --queue ' + queue.queue)} - then send"
                " them back, export or discard them; or raise dead_limit.",
            )
        )
    if not found:
        total, dropped = (sum(getattr(q, n) for q in queues) for n in ("dead", "dropped"))
        gone = f"; {_count(dropped, 'was', 'were')} dropped, too old or too many"
        text = f"{_count(total, 'is', 'are')} kept{gone if dropped else ''}."
        found.append(Finding("ok", "dead letters", text))
    return found


def _orphans(
    running: Sequence[Record], workers: Sequence[Presence], asked: Invocation
) -> list[Finding]:
    """Says how many tasks are in the hands of workers that are not alive."""
    alive = {worker.worker for worker in workers}
    lost = [record for record in running if record.worker not in alive]
    if not lost:
        return []
    who = len({record.worker for record in lost})
    fix = (
        f"Nothing: living workers take them back within {asked.app.config.lease:g} s."
        if alive
        else f"Start a worker, which takes them back: {asked.command('run')}"
    )
    text = (
        f"{_count(len(lost), 'task is', 'tasks are')} held by"
        f" {_count(who, 'worker that is', 'workers that are')} not alive."
    )
    return [Finding("warning", "lost workers", text, fix)]


def _names(asked: Invocation, waiting: Sequence[Record]) -> list[Finding]:
    known = asked.app.tasks
    if not known:
        return []  # an app without tasks is there to look around
    unknown = Counter(record.task for record in waiting if record.task not in known)
    if not unknown:
        return []
    listed = ", ".join(f"{name} ({count:,})" for name, count in unknown.most_common(5))
    return [
        Finding(
            "warning",
            "unknown tasks",
            f"Among the newest that wait are some of names the app does not know: {listed}.",
            "Fix the name where they are added, or run workers with the code that knows them.",
        )
    ]


def _durations(asked: Invocation, done: Sequence[Record]) -> list[Finding]:
    """Compares how long tasks took with how many are held ready."""
    took = [r.finished_at - r.started_at for r in done if r.finished_at and r.started_at]
    prefetch = asked.app.config.prefetched
    if not took or not prefetch or (typical := median(took)) < _LONG:
        return []
    return [
        Finding(
            "warning",
            "prefetch",
            f"Half of the newest tasks ran longer than {span_text(typical)}, and prefetch="
            f"{prefetch:,} lets as many wait in one worker while others are idle.",
            "Set prefetch=0.",
        )
    ]


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
