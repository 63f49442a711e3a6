"""Triggers around what users read: records and handles, once for each ``get`` or finished wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from qtasks._triggers import emit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks._core.connection import Connection
    from qtasks._triggers.registry import TriggerRegistry
    from qtasks._triggers.table import TriggerTable
    from qtasks.schemas import Page, Record, TaskDefinition

__all__ = ["Reading"]


class Reading:
    """Lets plugins replace what one client reads.

    Args:
        owner: the app, as plugins see it.
        connection: the broker and its storage.
        tasks: the registered tasks by name.
        registry: the plugins.
    """

    def __init__(
        self,
        owner: object,
        connection: Connection,
        tasks: Mapping[str, TaskDefinition],
        registry: TriggerRegistry,
    ) -> None:
        self._owner = owner
        self._broker = connection.broker
        self._storage = connection.storage
        self._tasks = tasks
        self._registry = registry

    async def record(self, record: Record | None) -> Record | None:
        """Returns the record that a ``get`` or a finished wait shows."""
        table = self._registry.table
        if not (table.storage_get or table.broker_get):
            return record
        table = self._table(None if record is None else record.task)
        values: dict[str, Any]
        if record is not None and (subscribers := table.storage_get):
            values = {"storage": self._storage, "result": record}
            record = (await emit.replace("storage_get", subscribers, values))["result"]
        if subscribers := table.broker_get:
            values = {"broker": self._broker, "task": record}
            record = (await emit.replace("broker_get", subscribers, values))["task"]
        return record

    async def handle(self, handle: Any) -> Any:
        """Returns the handle that a ``get`` or a finished wait gives."""
        if not self._registry.table.qtasks_get:
            return handle
        subscribers = self._table(None if handle is None else handle.task_name).qtasks_get
        values = {"qtasks": self._owner, "broker": self._broker, "task": handle}
        return (await emit.replace("qtasks_get", subscribers, values))["task"]

    async def page(self, page: Page) -> Page:
        """Returns the page that a user lists."""
        subscribers = self._registry.table.storage_get_all
        if not subscribers:
            return page
        values = {"storage": self._storage, "results": page.records}
        records = (await emit.replace("storage_get_all", subscribers, values))["results"]
        return msgspec.structs.replace(page, records=tuple(records))

    def _table(self, name: str | None) -> TriggerTable:
        task = None if name is None else self._tasks.get(name)
        return self._registry.table if task is None else self._registry.table_for(task)
