"""Triggers of the life of a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks._core.firing.parts import tell_connected, tell_leaving
from qtasks._triggers import emit

if TYPE_CHECKING:
    from qtasks._core.connection import Connection
    from qtasks._triggers.table import TriggerTable

__all__ = ["tell_started", "tell_stop_asked", "tell_stopped"]


async def tell_started(
    table: TriggerTable, connection: Connection, owner: Any, worker: object
) -> None:
    """Tells plugins that a worker starts, its parts first, up to the moment it claims.

    Args:
        table: who listens.
        connection: the broker and its storage.
        owner: the app.
        worker: the worker.
    """
    if subscribers := table.starter_start:
        await emit.notify("starter_start", subscribers, {"starter": worker})
    await tell_connected(table, connection, owner, worker)
    if subscribers := table.worker_start:
        await emit.notify("worker_start", subscribers, {"worker": worker})
    if subscribers := table.broker_listen_start:
        about = {"broker": connection.broker, "worker": worker}
        await emit.notify("broker_listen_start", subscribers, about)


async def tell_stopped(
    table: TriggerTable, connection: Connection, owner: Any, worker: object
) -> None:
    """Tells plugins that a worker has stopped, its parts last."""
    if subscribers := table.worker_stop:
        await emit.notify("worker_stop", subscribers, {"worker": worker})
    await tell_leaving(table, connection, owner)
    if subscribers := table.starter_stop:
        await emit.notify("starter_stop", subscribers, {"starter": worker})


async def tell_stop_asked(table: TriggerTable, owner: object, starter: object) -> None:
    """Tells plugins that the app was asked to stop.

    Args:
        table: who listens.
        owner: the app.
        starter: the worker or supervisor that stops.
    """
    if subscribers := table.qtasks_stop:
        await emit.notify("qtasks_stop", subscribers, {"qtasks": owner, "starter": starter})
