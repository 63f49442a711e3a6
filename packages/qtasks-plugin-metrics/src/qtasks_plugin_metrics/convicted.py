"""Dead letters of which nobody has seen a run: their tasks took their workers down."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from qtasks.schemas import Record
    from qtasks_plugin_metrics.shared import SharedLedger

__all__ = ["count_convicted"]

log = logging.getLogger("qtasks_plugin_metrics")

#: Seconds that the storage gets to say which task it was.
_PATIENCE: Final = 5.0


async def count_convicted(ledger: SharedLedger, worker: Any, task_id: str, reason: str) -> None:
    """Counts one of them, by the queue and the name that its record says.

    Args:
        ledger: where it is counted.
        worker: the worker that found it, or what a supervisor has left of one.
        task_id: the id of the task.
        reason: why it is dead.
    """
    ledger.convicted(worker.app, await _find(worker, task_id), reason)


async def _find(worker: Any, task_id: str) -> Record | None:
    """Returns a record; None if the storage does not say, for the death counts in any case."""
    try:
        async with asyncio.timeout(_PATIENCE):
            (record,) = await worker.broker.storage.get([task_id])
    except Exception as error:  # noqa: BLE001 - of any storage
        log.debug("Which task %s was is not known: %s", task_id, error)
        return None
    found: Record | None = record
    return found
