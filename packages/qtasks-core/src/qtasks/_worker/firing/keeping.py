"""Triggers of what the keeper does: it reports, takes back what was left behind, and clears up."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from qtasks._runtime.errors import printable
from qtasks._triggers import emit
from qtasks._worker.firing.beside import Beside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks._triggers.registry import TriggerRegistry
    from qtasks._triggers.table import TriggerTable
    from qtasks.schemas import Held, Swept

__all__ = ["Keeping"]

log = logging.getLogger("qtasks.worker")


class Keeping:
    """Tells plugins of what a worker's keeper does, on the loop that made it.

    Args:
        worker: the worker.
        registry: the plugins.
        owner: the app.

    Attributes:
        beside: where it is told.
    """

    def __init__(self, worker: Any, registry: TriggerRegistry, owner: Any) -> None:
        self.beside = Beside()
        self._worker = worker
        self._registry = registry
        self._owner = owner
        self._reported = False

    def kept(self, held: Sequence[Held], lost: Sequence[str], swept: Swept) -> None:
        """Logs what a round did, and tells plugins; may be called from any thread.

        Args:
            held: whose leases were renewed.
            lost: ids of those of them that are somebody else's by now.
            swept: what was cleared up.
        """
        if swept.taken_back:
            log.warning("Took back %d tasks of workers that are gone", len(swept.taken_back))
        for task_id in map(printable, swept.convicted):
            log.error("Task %s took its worker down too often; it is a dead letter", task_id)
        table = self._registry.table
        if not self._reported:
            self._reported = True
            if table.global_config_set_status:
                self.beside.tell(partial(_tell_reported, table, self._owner))
        if held and table.worker_leases_kept:
            self.beside.tell(partial(_tell_kept, table, self._worker, held, lost))
        if _has_news(table, swept):
            self.beside.tell(partial(_tell_swept, table, self._worker, swept))


def _has_news(table: TriggerTable, swept: Swept) -> bool:
    """Tells whether somebody wants to know of what a round of housekeeping did."""
    taken_back = table.broker_running_older_tasks or table.storage_running_older_tasks
    return bool(
        (swept.taken_back and taken_back)
        or (swept.convicted and table.worker_dead_letter)
        or (swept.purged and table.storage_delete_finished_tasks)
    )


async def _tell_reported(table: TriggerTable, owner: Any) -> None:
    """Tells plugins that a worker has said that it is alive."""
    about = {"global_config": owner.global_config}
    await emit.notify("global_config_set_status", table.global_config_set_status, about)


async def _tell_kept(
    table: TriggerTable, worker: Any, held: Sequence[Held], lost: Sequence[str]
) -> None:
    """Tells plugins of leases that were renewed."""
    about = {"worker": worker, "held": held, "lost": lost}
    await emit.notify("worker_leases_kept", table.worker_leases_kept, about)


async def _tell_swept(table: TriggerTable, worker: Any, swept: Swept) -> None:
    """Tells plugins what a round of housekeeping did.

    Args:
        table: who listens.
        worker: whose keeper it was.
        swept: what it did.
    """
    broker, storage = worker.broker, worker.broker.storage
    if swept.taken_back and (subscribers := table.broker_running_older_tasks):
        about = {"broker": broker, "worker": worker, "uuids": swept.taken_back}
        await emit.notify("broker_running_older_tasks", subscribers, about)
    if subscribers := table.storage_running_older_tasks:
        for task_id in swept.taken_back:
            about = {"storage": storage, "worker": worker, "uuid": task_id}
            await emit.notify("storage_running_older_tasks", subscribers, about)
    if subscribers := table.worker_dead_letter:
        for task_id in swept.convicted:
            about = {
                "worker": worker,
                "uuid": task_id,
                "reason": "worker_lost",
                "task_func": None,
                "task_broker": None,
            }
            await emit.notify("worker_dead_letter", subscribers, about)
    if swept.purged and (subscribers := table.storage_delete_finished_tasks):
        about = {"storage": storage, "count": swept.purged}
        await emit.notify("storage_delete_finished_tasks", subscribers, about)
