"""Triggers of the parts of an app: they are there, and they go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks._triggers import emit

if TYPE_CHECKING:
    from qtasks._core.connection import Connection
    from qtasks._triggers.table import TriggerTable

__all__ = ["tell_connected", "tell_leaving"]


async def tell_connected(
    table: TriggerTable, connection: Connection, owner: Any, worker: object | None = None
) -> None:
    """Tells plugins that broker, storage and shared configuration can be used.

    Args:
        table: who listens.
        connection: the broker and its storage.
        owner: the app.
        worker: who uses them; None for a client.
    """
    if subscribers := table.broker_start:
        about = {"broker": connection.broker, "worker": worker}
        await emit.notify("broker_start", subscribers, about)
    if subscribers := table.storage_start:
        await emit.notify("storage_start", subscribers, {"storage": connection.storage})
    if subscribers := table.global_config_start:
        about = {"global_config": owner.global_config}
        await emit.notify("global_config_start", subscribers, about)


async def tell_leaving(table: TriggerTable, connection: Connection, owner: Any) -> None:
    """Tells plugins that they are about to be left, the last one first."""
    if subscribers := table.global_config_stop:
        about = {"global_config": owner.global_config}
        await emit.notify("global_config_stop", subscribers, about)
    if subscribers := table.storage_stop:
        await emit.notify("storage_stop", subscribers, {"storage": connection.storage})
    if subscribers := table.broker_stop:
        await emit.notify("broker_stop", subscribers, {"broker": connection.broker})
