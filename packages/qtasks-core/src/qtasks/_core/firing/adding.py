"""Triggers around adding tasks: before a call is encoded, before and after it is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from qtasks._core.firing.readable import check_readable, encodable
from qtasks._core.messages import resolve_priority
from qtasks._triggers import emit
from qtasks.schemas import Message, Receipt, Record, TaskCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtasks._config import QueueConfig
    from qtasks._core.connection import Connection
    from qtasks._triggers.registry import TriggerRegistry
    from qtasks._triggers.table import TriggerTable
    from qtasks.schemas import TaskDefinition

__all__ = ["Adding"]


class Adding:
    """Tells plugins of what one client adds, and lets them change it; asked if somebody listens.

    Args:
        owner: the app, as plugins see it.
        connection: the broker and its storage.
        tasks: the registered tasks by name.
        registry: the plugins.
        config: the settings.
    """

    def __init__(
        self,
        owner: object,
        connection: Connection,
        tasks: Mapping[str, TaskDefinition],
        registry: TriggerRegistry,
        config: QueueConfig,
    ) -> None:
        self._owner = owner
        self._broker = connection.broker
        self._storage = connection.storage
        self._tasks = tasks
        self._registry = registry
        self._config = config

    async def calls(self, calls: Sequence[TaskCall]) -> Sequence[TaskCall]:
        """Lets plugins change calls before they are checked."""
        return [await self._call(call) for call in calls]

    async def messages(self, messages: list[Message]) -> list[Message]:
        """Lets plugins change messages before they are published."""
        return [await self._message(message) for message in messages]

    async def publish(self, messages: list[Message]) -> list[Receipt]:
        """Publishes, with what plugins have put around it."""
        subscribers = self._registry.table.qtasks_publish
        about = {"qtasks": self._owner, "broker": self._broker, "messages": tuple(messages)}
        async with emit.around("qtasks_publish", subscribers, about):
            return await self._broker.publish(messages)

    async def added(
        self,
        calls: Sequence[TaskCall],
        messages: Sequence[Message],
        receipts: Sequence[Receipt],
        records: Sequence[Record],
    ) -> None:
        """Tells plugins what was published."""
        table = self._registry.table
        if table.broker_add_after:
            for message, receipt in zip(messages, receipts, strict=True):
                if receipt.created:
                    await self._queued(message)
        if table.qtasks_add_task_after_broker:
            for call, record in zip(calls, records, strict=True):
                await self._acknowledged(call, record)

    def _table(self, name: str) -> TriggerTable:
        task = self._tasks.get(name)
        return self._registry.table if task is None else self._registry.table_for(task)

    async def _call(self, call: TaskCall) -> TaskCall:
        task = self._tasks.get(call.task_name)
        subscribers = self._table(call.task_name).qtasks_add_task_before_broker
        if not subscribers:
            return call
        before = {
            "qtasks": self._owner,
            "broker": self._broker,
            "task_name": call.task_name,
            "priority": resolve_priority(call.options.priority, task, self._config),
            "args": call.args,
            "kw": dict(call.kwargs),  # these two may be the caller's own
            "headers": dict(call.options.headers or {}),
        }
        check = encodable(self._config.max_payload)
        after = await emit.replace("qtasks_add_task_before_broker", subscribers, before, check)
        options = msgspec.structs.replace(
            call.options, priority=after["priority"], headers=after["headers"]
        )
        return TaskCall(after["task_name"], tuple(after["args"]), dict(after["kw"]), options)

    async def _message(self, message: Message) -> Message:
        table = self._table(message.task)
        values: dict[str, Any]
        if subscribers := table.broker_add_before:
            values = {"broker": self._broker, "storage": self._storage, "model": message}
            name = "broker_add_before"
            message = (await emit.replace(name, subscribers, values, check_readable))["model"]
        if subscribers := table.storage_add:
            values = {"storage": self._storage, "uuid": message.id, "task_status": message}
            name = "storage_add"
            message = (await emit.replace(name, subscribers, values, check_readable))["task_status"]
        return message

    async def _queued(self, message: Message) -> None:
        if subscribers := self._table(message.task).broker_add_after:
            about = {"broker": self._broker, "storage": self._storage, "model": message}
            await emit.notify("broker_add_after", subscribers, about)

    async def _acknowledged(self, call: TaskCall, record: Record) -> None:
        if subscribers := self._table(call.task_name).qtasks_add_task_after_broker:
            about = {
                "qtasks": self._owner,
                "broker": self._broker,
                "task_name": record.task,
                "priority": record.priority,
                "args": call.args,
                "kwargs": call.kwargs,
                "uuid": record.id,
            }
            await emit.notify("qtasks_add_task_after_broker", subscribers, about)
