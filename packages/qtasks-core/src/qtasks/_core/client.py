"""What an app asks of its servers: written once, as coroutines over the broker's contract.

The asynchronous façade awaits them; the synchronous one drives them over the blocking twins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks._core.dead_letters import DeadLetters
from qtasks._core.firing.adding import Adding
from qtasks._core.firing.parts import tell_connected, tell_leaving
from qtasks._core.firing.reading import Reading
from qtasks._core.global_config import SharedConfig
from qtasks._core.messages import make_message, new_record
from qtasks._core.unique import conflict_of
from qtasks._runtime.current import refuse_while_main_loads
from qtasks._triggers import emit
from qtasks._triggers.added import fire
from qtasks.contracts.names import check_name, check_queues
from qtasks.exc import ServerError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtasks._config import QueueConfig
    from qtasks._core.connection import Connection
    from qtasks._triggers.registry import TriggerRegistry
    from qtasks.schemas import (
        CancelAnswer,
        Finding,
        Message,
        Page,
        Presence,
        QueueStats,
        Receipt,
        Record,
        RecordQuery,
        Streamed,
        TaskCall,
        TaskDefinition,
    )
    from qtasks.typing import Clock

__all__ = ["Client"]

#: How many tasks one wait asks for at a time, so that waiting for many stays cheap.
_WINDOW: Final = 256
#: Seconds of one wait without an end; the caller asks again.
_LONG: Final = 3600.0

#: What to do instead, where a broker cannot do it to a queue.
_INSTEAD: Final = {
    "pause": "stop the workers that take from it, or start them with other --queues",
    "purge": "let a worker run what waits, or cancel the tasks one by one",
}


class Client:
    """The client side of one app over one connection.

    Args:
        owner: the app, as plugins see it.
        connection: the broker and its storage.
        tasks: the registered tasks by name.
        registry: the plugins.
        config: the settings.
        clock: the time.

    Attributes:
        connection: likewise.
        global_config: the configuration that the app's processes share.
    """

    def __init__(
        self,
        *,
        owner: Any,
        connection: Connection,
        tasks: Mapping[str, TaskDefinition],
        registry: TriggerRegistry,
        config: QueueConfig,
        clock: Clock,
    ) -> None:
        self._owner = owner
        self.connection = connection
        self._broker = connection.broker
        self._storage = connection.storage
        self._tasks = tasks
        self._registry = registry
        self._config = config
        self._clock = clock
        self._adding = Adding(owner, connection, tasks, registry, config)
        self._reading = Reading(owner, connection, tasks, registry)
        self.global_config = SharedConfig(owner, connection, registry, config, self.start)

    async def start(self) -> None:
        """Connects once; every other method does it by itself."""
        refuse_while_main_loads()
        connected = not self.connection.serves(self) and await self.connection.open(self)
        if self._registry.plugins:
            await self._registry.start(self, "client")
            if connected:
                await tell_connected(self._registry.table, self.connection, self._owner)

    async def stop(self) -> None:
        """Disconnects; the next call connects again."""
        if self.connection.serves(self):
            await tell_leaving(self._registry.table, self.connection, self._owner)
        await self._registry.stop(self, "client")
        await self.connection.close(self)

    async def submit(self, calls: Sequence[TaskCall], *, many: bool = False) -> list[Record]:
        """Checks, encodes and publishes calls in one step; returns their records, in order.

        Args:
            calls: the calls.
            many: whether there is a handle for each, also for one that shall be skipped.

        Raises:
            UniqueConflictError: a unique key is held, and the call shall raise or be skipped; the
                other calls were added.
            TaskArgumentsError, EncodeError, PayloadTooLargeError: one of the calls does not fit;
                nothing was published.
            ServerError: nothing was acknowledged.
        """
        await self.start()
        table = self._registry.table
        if table.qtasks_add_task_before_broker:
            calls = await self._adding.calls(calls)
        now = self._clock.time()
        messages = [make_message(c, self._tasks.get(c.task_name), self._config, now) for c in calls]
        if table.broker_add_before or table.storage_add:
            messages = await self._adding.messages(messages)
        for message in messages:
            self._refuse_impossible(message)
        publish = self._adding.publish if table.qtasks_publish else self._broker.publish
        receipts = await publish(messages) if messages else []
        known = [receipt.id for receipt in receipts if not receipt.created]
        records = await self._records(messages, receipts, known)
        if table.broker_add_after or table.qtasks_add_task_after_broker:
            await self._adding.added(calls, messages, receipts, records)
        if known:
            conflict = conflict_of(calls, messages, receipts, self._tasks, many=many)
            if conflict is not None:
                raise conflict
        return records

    async def _records(
        self, messages: Sequence[Message], receipts: Sequence[Receipt], known: Sequence[str]
    ) -> list[Record]:
        """Makes the records of new tasks, and reads those of tasks that were there before."""
        now = self._clock.time()
        if not known:  # as nearly always
            return [new_record(message, now) for message in messages]
        found = dict(zip(known, await self._storage.get(known), strict=True))
        records = []
        for message, receipt in zip(messages, receipts, strict=True):
            record = found.get(receipt.id) or new_record(message, now)
            if record.id != receipt.id:  # gone meanwhile, the task that holds the unique key
                record = msgspec.structs.replace(record, id=receipt.id)
            records.append(record)
        return records

    async def get(self, ids: Sequence[str]) -> Sequence[Record | None]:
        """Reads records, in order; None where there is none."""
        await self.start()
        return await self._storage.get(ids)

    async def look(self, task_id: str) -> Record | None:
        """Reads a record as plugins show it to a user."""
        return await self.shown((await self.get([task_id]))[0])

    async def shown(self, record: Record | None) -> Record | None:
        """Lets plugins replace the record that a ``get`` or a finished wait shows."""
        return await self._reading.record(record)

    async def handed(self, handle: Any) -> Any:
        """Lets plugins replace the handle that a ``get`` or a finished wait gives."""
        return await self._reading.handle(handle)

    async def next_ended(
        self,
        ids: Sequence[str],
        timeout: float | None,
    ) -> dict[str, Record | None]:
        """Waits until at least one of the first tasks ended; empty if the time ran out.

        Only a window of ``ids`` is asked for at a time, so that waiting for many stays cheap.
        """
        await self.start()
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        while True:
            left = _LONG if deadline is None else max(0.0, deadline - self._clock.monotonic())
            ended = await self._storage.wait(list(ids[:_WINDOW]), left)
            if ended or (deadline is not None and self._clock.monotonic() >= deadline):
                return ended

    async def wait(
        self,
        ids: Sequence[str],
        timeout: float | None,
    ) -> dict[str, Record | None]:
        """Waits until all tasks ended or the time ran out; returns those that ended."""
        ended: dict[str, Record | None] = {}
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        pending = dict.fromkeys(ids)
        while pending:
            left = None if deadline is None else max(0.0, deadline - self._clock.monotonic())
            found = await self.next_ended(list(pending), left)
            if not found:
                break
            ended.update(found)
            for task_id in found:
                del pending[task_id]
        return ended

    async def stream(self, task_id: str, token: int, after: int, timeout: float | None) -> Streamed:
        """Waits for values of a task behind those that were seen; see ``read_stream``."""
        await self.start()
        while True:
            seconds = _LONG if timeout is None else timeout
            found = await self._storage.read_stream(task_id, token, after, seconds)
            if found.values or found.ended or timeout is not None:
                return found

    async def ping(self, *, server: bool) -> bool:
        """Tells whether the broker answers and, if ``server``, has a living worker.

        Raises:
            ServerError: the broker does not answer, and it was asked for a worker.
        """
        if self._registry.table.qtasks_ping:
            await self._registry.start(self, "client")
            about = {"qtasks": self._owner, "global_config": self._owner.global_config}
            await emit.notify("qtasks_ping", self._registry.table.qtasks_ping, about)
        return bool(await self.workers()) if server else await self._reachable()

    async def _reachable(self) -> bool:
        try:
            await self.start()
            await self._broker.queues()
        except ServerError:
            return False
        return True

    async def cancel(self, ids: Sequence[str], reason: str) -> dict[str, CancelAnswer]:
        """Cancels waiting tasks, and asks the workers of running ones to."""
        await self.start()
        return await self._storage.cancel(ids, reason)

    async def page(self, query: RecordQuery) -> Page:
        """Reads one page of records, newest first."""
        await self.start()
        return await self._reading.page(await self._storage.list(query))

    async def dead_letters(self) -> DeadLetters:
        """Connects, and returns what can be done to dead letters."""
        await self.start()
        return DeadLetters(self._storage)

    async def stats(self, queues: str | Sequence[str] | None = None) -> list[QueueStats]:
        """Counts tasks by state, for the named queues or all that are known."""
        await self.start()
        if queues is None:
            queues = sorted({*await self._broker.queues(), *self._config.queues})
        return [await self._broker.stats(queue) for queue in check_queues(queues)]

    async def pause(self, queue: str) -> None:
        """Stops workers from taking tasks of a queue."""
        await self._start_for("pause", queue)
        await self._broker.pause(queue)

    async def resume(self, queue: str) -> None:
        """Lets workers take tasks of a paused queue again."""
        await self._start_for("pause", queue)
        await self._broker.resume(queue)

    async def purge(self, queue: str) -> int:
        """Removes what waits in a queue; returns how many tasks that were."""
        await self._start_for("purge", queue)
        return await self._broker.purge(queue)

    async def emit(self, name: str, arguments: dict[str, Any]) -> Any:
        """Fires a trigger of others; needs no server."""
        await self._registry.start(self, "client")
        return await fire(self._registry, name, arguments)

    async def diagnose(self) -> list[Finding]:
        """Asks the servers what a look at them tells."""
        await self.start()
        return await self._broker.diagnose()

    async def workers(self) -> list[Presence]:
        """Lists the workers that are alive."""
        await self.start()
        return await self._broker.workers()

    async def flush(self) -> None:
        """Removes everything: queues, records, state."""
        await self.start()
        table = self._registry.table
        if subscribers := table.qtasks_flush_all:
            about = {"qtasks": self._owner, "broker": self._broker}
            await emit.notify("qtasks_flush_all", subscribers, about)
        await self._broker.flush()
        if subscribers := table.broker_flush_all:
            await emit.notify("broker_flush_all", subscribers, {"broker": self._broker})
        await self._storage.flush()
        if subscribers := table.storage_flush_all:
            await emit.notify("storage_flush_all", subscribers, {"storage": self._storage})

    async def inspect(self, stats: object) -> tuple[list[QueueStats], list[Presence]]:
        """Asks for the queues and the living workers.

        Args:
            stats: who asks, as plugins see it.
        """
        await self.start()
        if subscribers := self._registry.table.stats_inspect:
            await emit.notify("stats_inspect", subscribers, {"stats": stats})
        return await self.stats(), await self.workers()

    async def _start_for(self, deed: str, queue: str) -> None:
        """Connects for what not every broker can do to a queue."""
        check_name("queue", queue)
        if not getattr(self._broker.capabilities, deed):
            msg = (
                f"{type(self._broker).__name__} cannot {deed} queues, so {queue!r} stays as it is:"
                f" {_INSTEAD[deed]}"
            )
            raise UnsupportedError(msg)
        await self.start()

    def _refuse_impossible(self, message: Message) -> None:
        can = self._broker.capabilities
        if (message.delay or message.eta) and not can.delay:
            self._unsupported("delay= and eta=")
        if message.unique_key is not None and not can.unique:
            self._unsupported("unique_key=")

    def _unsupported(self, what: str) -> None:
        msg = f"{type(self._broker).__name__} cannot do {what}: give the app a storage_url that can"
        raise UnsupportedError(msg)
