"""Triggers of one delivery on its way through a worker: it comes, it begins, it has ended."""

from __future__ import annotations

import asyncio
import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks._core.firing.readable import check_readable, encodable
from qtasks._runtime.errors import printable
from qtasks._triggers import emit
from qtasks._worker.bracket import Bracket
from qtasks.contracts.codec import decode_arguments, encode_arguments
from qtasks.contracts.runs import same_run
from qtasks.exc import CodecError, DecodeError
from qtasks.schemas import Delivery, TaskDefinition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks._config import QueueConfig
    from qtasks._triggers.registry import TriggerRegistry
    from qtasks._triggers.subscription import Subscribers
    from qtasks._triggers.table import TriggerTable
    from qtasks.schemas import Settlement

__all__ = ["Passage", "Running"]

log = logging.getLogger("qtasks.plugins")

#: What of a settlement plugins see and may change as a mapping.
_WRITTEN: Final = ("outcome", "headers", "history", "ttl")


class Passage(msgspec.Struct):
    """A delivery as plugins have left it.

    Attributes:
        task: its registered task, or None if the worker does not know it.
        delivery: the delivery.
        headers: what a verdict makes of the message's headers; None leaves them.
        bracket: what stands around the run, if anything does.
        started: when the run began, seconds since the epoch on the worker's clock.
        run: what runs it, if that can be interrupted.
    """

    task: TaskDefinition | None
    delivery: Delivery
    headers: dict[str, str] | None = None
    bracket: Bracket | None = None
    started: float = 0.0
    run: asyncio.Task[None] | None = None


class Running:
    """Tells plugins of what one worker runs, and lets them change it.

    Args:
        worker: the worker, as plugins see it.
        tasks: the registered tasks by name.
        registry: the plugins.
        config: the settings.

    Attributes:
        seen: the table that the others come from; if the registry has a newer one, :meth:`look`.
        arrives: whether somebody listens when a delivery comes.
        begins: likewise, when it is about to run.
        ends: likewise, when it has ended.
        measured: likewise, when its outcome is written, so that the time of its end is wanted.
    """

    def __init__(
        self,
        worker: Any,
        tasks: Mapping[str, TaskDefinition],
        registry: TriggerRegistry,
        config: QueueConfig,
    ) -> None:
        self._worker = worker
        self._tasks = tasks
        self._registry = registry
        self._config = config
        self.seen: TriggerTable | None = None
        self.arrives = self.begins = self.ends = self.measured = False

    def look(self) -> None:
        """Finds out who listens by now."""
        table = self.seen = self._registry.table
        self.arrives = bool(
            table.broker_add_worker or table.worker_add or table.storage_add_process
        )
        self.begins = bool(table.worker_run_task_before or table.worker_execute_before)
        self.ends = bool(
            table.worker_remove_finished_task
            or table.broker_remove_finished_task
            or table.broker_update
            or table.storage_update
        )
        self.measured = bool(table.worker_outcome or table.worker_exchanged)

    def table_of(self, task: TaskDefinition | None) -> TriggerTable:
        """Returns who listens to what of a task; of an unknown one everybody may."""
        return self._registry.table if task is None else self._registry.table_for(task)

    async def arrived(self, passage: Passage, table: TriggerTable) -> None:
        """Lets plugins change a delivery that has got its place."""
        if passage.delivery.malformed is not None:
            return
        broker = self._worker.broker
        if subscribers := table.broker_add_worker:
            about = {"broker": broker, "worker": self._worker}
            await self._added("broker_add_worker", subscribers, about, passage)
        if subscribers := table.worker_add:
            await self._added("worker_add", subscribers, {"worker": self._worker}, passage)
        if subscribers := table.storage_add_process:
            await self._in_process(subscribers, passage)

    async def beginning(self, passage: Passage, table: TriggerTable) -> None:
        """Lets plugins change what is about to run, or veto it.

        Raises:
            TaskControl: a plugin does not want it to run now.
        """
        task = passage.task
        if subscribers := table.worker_run_task_before:
            values: dict[str, Any] = {
                "worker": self._worker,
                "task_func": task,
                "task_broker": passage.delivery,
            }
            values = await emit.replace(
                "worker_run_task_before", subscribers, values, check_readable
            )
            passage.task, passage.delivery = values["task_func"], values["task_broker"]
        if subscribers := table.worker_execute_before:
            values = {
                "worker": self._worker,
                "task_broker": passage.delivery,
                "task_func": passage.task,
                "model": passage.delivery,
            }
            values = await emit.replace(
                "worker_execute_before", subscribers, values, check_readable
            )
            passage.delivery = values["model"]

    async def ended(
        self, passage: Passage, settlement: Settlement, table: TriggerTable
    ) -> Settlement:
        """Lets plugins change what is about to be settled.

        A run that is interrupted meanwhile has ended all the same, so it is settled as far as
        plugins have come.
        """
        ending = _Ending(self._worker, table, passage, settlement)
        try:
            await ending.ask()
        except asyncio.CancelledError:
            log.debug("%s ended while plugins were asked about its end", passage.delivery.id)
        return ending.settlement

    async def _added(
        self, name: str, subscribers: Subscribers, about: dict[str, Any], passage: Passage
    ) -> None:
        delivery, message = passage.delivery, passage.delivery.message
        try:
            args, kw = decode_arguments(message.payload)
        except DecodeError:
            return  # it fails, which the run finds out by itself
        before: dict[str, Any] = {
            "task_name": message.task,
            "uuid": message.id,
            "priority": message.priority,
            "args": tuple(args),
            "kw": kw,
            "created_at": delivery.enqueued_at,
        }
        check = encodable(self._config.max_payload)
        after = await emit.replace(name, subscribers, {**about, **before}, check)
        payload = message.payload
        if after["args"] is not before["args"] or after["kw"] is not kw:
            try:
                arguments = (tuple(after["args"]), dict(after["kw"]))
                payload = encode_arguments(arguments, "", self._config.max_payload)
            except CodecError as error:
                who = ", ".join(one.plugin for one in subscribers)
                text = "The arguments that %s gave %s %s in %s cannot be used: %s"
                shown = printable(message.task), printable(message.id)
                log.error(text, who, *shown, name, error)  # noqa: TRY400 - the trace says nothing more
        changed = msgspec.structs.replace(
            delivery,
            message=msgspec.structs.replace(
                message, task=after["task_name"], priority=after["priority"], payload=payload
            ),
            enqueued_at=after["created_at"],
        )
        same_run(changed, delivery)
        passage.delivery = changed
        passage.task = self._tasks.get(after["task_name"])

    async def _in_process(self, subscribers: Subscribers, passage: Passage) -> None:
        delivery = passage.delivery
        values: dict[str, Any] = {
            "storage": self._worker.broker.storage,
            "task_data": delivery,
            "priority": delivery.message.priority,
        }
        values = await emit.replace("storage_add_process", subscribers, values, check_readable)
        delivery = values["task_data"]
        if values["priority"] != delivery.message.priority:
            message = msgspec.structs.replace(delivery.message, priority=values["priority"])
            delivery = msgspec.structs.replace(delivery, message=message)
            same_run(delivery, values["task_data"])
        passage.delivery = delivery
        passage.task = self._tasks.get(delivery.message.task)


class _Ending:
    """The four triggers that share what is about to be settled, and how far they have come."""

    def __init__(
        self, worker: Any, table: TriggerTable, passage: Passage, settlement: Settlement
    ) -> None:
        self._broker = worker.broker
        self._worker = worker
        self._table = table
        self._passage = passage
        self.settlement = settlement

    async def ask(self) -> None:
        """Asks them in their order, each with what the one before left."""
        table, passage = self._table, self._passage
        storage = self._broker.storage
        values: dict[str, Any]
        if subscribers := table.worker_remove_finished_task:
            values = {
                "worker": self._worker,
                "broker": self._broker,
                "task_func": passage.task,
                "task_broker": passage.delivery,
                "model": self.settlement,
            }
            name = "worker_remove_finished_task"
            values = await emit.replace(name, subscribers, values, check_readable)
            passage.delivery, self.settlement = values["task_broker"], values["model"]
        if subscribers := table.broker_remove_finished_task:
            values = {"broker": self._broker, "storage": storage, "model": self.settlement}
            name = "broker_remove_finished_task"
            values = await emit.replace(name, subscribers, values, check_readable)
            self.settlement = values["model"]
        if subscribers := table.broker_update:
            await self._written("broker_update", subscribers, {"broker": self._broker})
        if subscribers := table.storage_update:
            await self._written("storage_update", subscribers, {"storage": storage})

    async def _written(self, name: str, subscribers: Subscribers, about: dict[str, Any]) -> None:
        settlement = self.settlement
        fields = {key: getattr(settlement, key) for key in _WRITTEN}
        kw = MappingProxyType({"uuid": settlement.id, **fields})
        after = (await emit.replace(name, subscribers, {**about, "kw": kw}, check_readable))["kw"]
        if after is not kw:
            changed = {key: after[key] for key in _WRITTEN}
            self.settlement = msgspec.structs.replace(settlement, **changed)
