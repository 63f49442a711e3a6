"""Which names of queues and tasks are known, and what is said of those that are not."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from qtasks.exc import ServerError
from qtasks.schemas import QueueStats, RecordQuery

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qtasks._core.client import Client
    from qtasks.cli.filters import Filters
    from qtasks.cli.invocation import Invocation

__all__ = ["known_queues", "note_no_match", "note_unknown_queues", "unknown_queue"]


async def known_queues(asked: Invocation, client: Client) -> list[QueueStats]:
    """Counts the tasks of all queues that the broker, the settings or the app's tasks name."""
    found = {queue.queue: queue for queue in await client.stats()}
    named = {task.queue for task in asked.app.tasks.values()} - found.keys()
    if named:
        found |= {queue.queue: queue for queue in await client.stats(sorted(named))}
    return [found[name] for name in sorted(found)]


def unknown_queue(asked: Invocation, name: str, known: Sequence[str]) -> str:
    """Says that there is no such queue, and which one was perhaps meant."""
    return (
        f"there is no queue {name!r} in {asked.place}.{_guess(name, known)}"
        f" Its queues: {', '.join(known)}."
    )


def note_unknown_queues(asked: Invocation, names: Iterable[str]) -> None:
    """Writes a note for each queue that nobody knows; the server is asked only if need be."""
    app = asked.app
    mentioned = {*app.config.queues, *(task.queue for task in app.tasks.values())}
    others = [name for name in names if name not in mentioned]
    if not others:
        return
    try:
        found = asked.ask(lambda client: known_queues(asked, client))
    except ServerError:  # it is away, or this account may not ask
        return
    known = [queue.queue for queue in found]
    for name in others:
        if name not in known:
            asked.output.note(unknown_queue(asked, name, known))


def note_no_match(asked: Invocation, filters: Filters, what: str) -> None:
    """Writes that nothing matches, and which names of the filters nobody knows.

    Args:
        asked: the invocation.
        filters: the filters that left nothing.
        what: what was looked for, in the plural.
    """
    asked.output.note(f"no {what} match in {asked.place}")
    if filters.queue is not None:
        note_unknown_queues(asked, [filters.queue])
    if filters.task is not None and filters.task not in asked.app.tasks:
        _note_unknown_task(asked, filters.task)


def _note_unknown_task(asked: Invocation, name: str) -> None:
    page = asked.ask(lambda client: client.page(RecordQuery(task=name, limit=1)))
    if page.records:
        return
    known = sorted(asked.app.tasks)
    asked.output.note(
        f"neither the app nor a record knows a task {name!r}.{_guess(name, known)}"
        f" The app's tasks: {', '.join(known) or 'none'}."
    )


def _guess(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
