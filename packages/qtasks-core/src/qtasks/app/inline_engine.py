"""The engine of inline mode: a queue in memory whose tasks run as soon as they are added."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks._core.client import Client
from qtasks._core.connection import Connection
from qtasks._worker.attendance import Attendance
from qtasks._worker.places import Pools
from qtasks._worker.reports import Reports
from qtasks._worker.runner import Runner
from qtasks._worker.settled import tell_settled
from qtasks._worker.streams import Streams
from qtasks._worker.worker import Worker
from qtasks.app.echo import Echo
from qtasks.app.inline_places import Places, ProcessPlaces
from qtasks.app.view import TaskView
from qtasks.exc import TaskCancelError, TaskControl
from qtasks.schemas import (
    Cancel,
    Claim,
    Fail,
    Outcome,
    Record,
    Retry,
    Settlement,
    Success,
    TaskStatusEnum,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from qtasks._triggers.table import TriggerTable
    from qtasks._worker.firing.running import Passage
    from qtasks.app.base import BaseQueueTasks
    from qtasks.schemas import Delivery, Finished, Streamed, TaskCall
    from qtasks.typing import Clock

__all__ = ["Engine"]

#: Seconds of a lease that nobody renews; longer than delays are.
_LEASE: Final = 1e9
#: How many tasks are taken at once.
_BATCH: Final = 1000
#: How often a task may run before it counts as one that never ends.
_MOST_RUNS: Final = 100
_WAITING: Final = (TaskStatusEnum.NEW, TaskStatusEnum.RETRY)
_ENDS: Final[dict[type[Outcome], TaskStatusEnum]] = {
    Success: TaskStatusEnum.SUCCESS,
    Fail: TaskStatusEnum.ERROR,
    Cancel: TaskStatusEnum.CANCEL,
}


class InlineClock:
    """The app's clock, which can be put forward.

    Args:
        clock: the app's clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = 0.0

    def time(self) -> float:
        """Returns seconds since the epoch."""
        return self._clock.time() + self._ahead

    def monotonic(self) -> float:
        """Returns seconds that never go backwards."""
        return self._clock.monotonic() + self._ahead

    async def sleep(self, seconds: float) -> None:
        """Suspends the calling coroutine for ``seconds``."""
        await self._clock.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Puts the clock forward."""
        self._ahead += seconds


class InlineRunner(Runner):
    """Runs deliveries as a worker does, and keeps the exceptions."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.errors: dict[str, BaseException] = {}

    async def _failed(self, passage: Passage, table: TriggerTable, error: BaseException) -> Outcome:
        if not isinstance(error, TaskControl | TaskCancelError):  # they steer, and are no mistake
            self.errors[passage.delivery.id] = error
        return await super()._failed(passage, table, error)


class InlineClient(Client):
    """Has what it adds run at once, and never waits for what cannot come.

    Args:
        engine: what runs it.
        **parts: see :class:`~qtasks._core.client.Client`.
    """

    def __init__(self, engine: Engine, **parts: Any) -> None:
        super().__init__(**parts)
        self._engine = engine

    async def submit(self, calls: Sequence[TaskCall], *, many: bool = False) -> list[Record]:
        """Adds calls and runs them; returns their records after that."""
        return await self._engine.run(await super().submit(calls, many=many))

    async def next_ended(
        self, ids: Sequence[str], timeout: float | None
    ) -> dict[str, Record | None]:
        """Returns what has ended; the rest waits for its time, which stands still meanwhile."""
        del timeout
        return await super().next_ended(ids, 0)

    async def stream(self, task_id: str, token: int, after: int, timeout: float | None) -> Streamed:
        """Returns what there is, likewise."""
        del timeout
        return await super().stream(task_id, token, after, 0)


class Bench(msgspec.Struct, frozen=True):
    """What runs tasks on one loop.

    Attributes:
        worker: the worker, as plugins see it.
        runner: what runs a delivery.
        places: where plain functions run.
    """

    worker: Worker
    runner: InlineRunner
    places: Places


class Engine:
    """Runs what is added.

    Args:
        app: the app.
        raises: whether adding a task raises what the task raised.
        delays: whether time stands still until :meth:`advance`.

    Attributes:
        client: the way to its queue.
    """

    def __init__(self, app: BaseQueueTasks, *, raises: bool, delays: bool) -> None:
        from qtasks.adapters.memory import MemoryBroker

        self._app = app
        self._raises = raises
        self._delays = delays
        self._clock = InlineClock(app.clock)
        self._broker = MemoryBroker(clock=self._clock)
        self._broker.retention = app.config.retention
        self._storage = self._broker.storage
        self._connection = Connection(self._broker)
        self._benches: dict[asyncio.AbstractEventLoop, Bench] = {}
        self._ends: dict[str, Outcome] = {}
        self.client = InlineClient(
            self,
            owner=app,
            connection=self._connection,
            tasks=app.tasks,
            registry=app._registry,  # noqa: SLF001 - one concept in two modules
            config=app.config,
            clock=self._clock,
        )

    async def run(self, records: Sequence[Record]) -> list[Record]:
        """Runs tasks that were just added, until they are over or wait; returns new records."""
        await self._run_until_over({record.id for record in records})
        found = await self._storage.get([record.id for record in records])
        after = [new or self._forgotten(old) for old, new in zip(records, found, strict=True)]
        if self._raises:
            for record in after:
                self._raise(record)
        return after

    async def advance(self, seconds: float | timedelta) -> None:
        """Puts the clock forward, and runs what is due then.

        Raises:
            ValueError: ``seconds`` is negative.
        """
        span = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        if not span >= 0:
            msg = f"advance({seconds!r}): time does not go backwards"
            raise ValueError(msg)
        self._clock.advance(span)
        await self._broker.sweep()
        ran = await self._run_due()
        if self._raises:
            for record in filter(None, await self._storage.get(ran)):
                self._raise(record)

    async def leave_loop(self) -> None:
        """Puts away what ran tasks on this loop."""
        bench = self._benches.pop(asyncio.get_running_loop(), None)
        if bench is not None:
            bench.places.close()
            await bench.runner.close()
            await self._app._registry.stop(bench.worker, "worker")  # noqa: SLF001 - one concept in two modules

    async def close(self) -> None:
        """Ends; only on the loop that ran the tasks."""
        await self.leave_loop()
        await self.client.stop()

    async def _run_until_over(self, ids: Collection[str]) -> None:
        while True:
            await self._run_due()
            found = await self._storage.get(list(ids))
            waiting = [r for r in found if r and r.status in _WAITING and r.task in self._app.tasks]
            now = self._clock.time()
            later = min((r.due_at for r in waiting if r.due_at > now), default=None)
            if self._delays or later is None:
                return
            for record in waiting:
                _refuse_endless(record)
            self._clock.advance(later - now)

    async def _run_due(self) -> list[str]:
        """Runs what is due, and what becomes due by that; returns the ids."""
        ran: list[str] = []
        bench = await self._bench()
        while True:
            queues = tuple(await self._broker.queues())
            request = Claim(queues, _BATCH, _LEASE, bench.worker.id, suspects=1)
            deliveries = await self._broker.claim(request) if queues else []
            if not deliveries:
                return ran
            for delivery in deliveries:
                ran.append(delivery.id)
                if delivery.message.task in self._app.tasks:
                    await self._run_one(bench, delivery)
                else:  # it lives in another program, for which it waits
                    late = Settlement(delivery.id, delivery.token, Retry(_LEASE, counted=False))
                    await self._broker.settle([late])

    async def _run_one(self, bench: Bench, delivery: Delivery) -> None:
        # In a task of its own, so that what it does to its context stays there.
        run = asyncio.create_task(self._settle(bench, delivery))
        try:
            await asyncio.shield(run)
        except asyncio.CancelledError:
            run.cancel()
            await asyncio.wait([run])
            raise

    async def _settle(self, bench: Bench, delivery: Delivery) -> None:
        finished: Finished | None = await bench.runner.finish(delivery)
        if finished is None:
            return
        refused = await self._broker.settle([finished.settlement])
        self._ends[delivery.id] = finished.settlement.outcome
        bench.worker.settled += 1
        fenced = delivery.id in refused
        await tell_settled(bench.worker, self._app._registry, finished, fenced=fenced)  # noqa: SLF001 - one concept in two modules
        events = self._app._event_plugin  # noqa: SLF001 - as above
        if events is not None:
            await events.drain()

    async def _bench(self) -> Bench:
        """Returns what runs tasks on this loop."""
        loop = asyncio.get_running_loop()
        bench = self._benches.get(loop)
        if bench is None:
            worker = self._app._make_worker(self._connection, self._clock)  # noqa: SLF001 - one concept in two modules
            places = Places()
            pools = Pools(threads=places, processes=ProcessPlaces(places))  # type: ignore[arg-type]  # all that is used of it is run()
            runner = InlineRunner(
                worker=worker,
                worker_id=worker.id,
                owner=self._app,
                tasks=self._app.tasks,
                registry=self._app._registry,  # noqa: SLF001 - as above
                plans=self._app._plans,  # noqa: SLF001 - as above
                config=self._app.config,
                pools=pools,
                clock=self._clock,
                attendance=Attendance(
                    worker=worker,
                    config=self._app.config,
                    echo=Echo(self._app),
                    reports=Reports(self._storage, self._clock),
                    streams=Streams(self._storage, self._app.config, self._clock),
                ),
                on_finished=lambda *_: None,
            )
            bench = self._benches[loop] = Bench(worker, runner, places)
            await self._app._registry.start(worker, "worker")  # noqa: SLF001 - as above
        return bench

    def _forgotten(self, record: Record) -> Record:
        """Returns the record of a task whose record was not to be kept, as far as it is known."""
        outcome = self._ends.get(record.id)
        status = record.status if outcome is None else _ENDS.get(type(outcome), record.status)
        return msgspec.structs.replace(record, status=status)

    def _raise(self, record: Record) -> None:
        """Raises what a task raised that failed, or says that it was cancelled."""
        if record.status is TaskStatusEnum.ERROR:
            for bench in self._benches.values():
                if (error := bench.runner.errors.pop(record.id, None)) is not None:
                    raise error
        if record.status in (TaskStatusEnum.ERROR, TaskStatusEnum.CANCEL):
            TaskView[Any](record)._value()  # noqa: SLF001 - it raises what stands for the end


def _refuse_endless(record: Record) -> None:
    if record.deliveries >= _MOST_RUNS:
        msg = (
            f"{record.task} {record.id} ran {record.deliveries} times at once and is not over:"
            " write app.inline(delays=True), and let time pass by inline.advance(seconds)"
        )
        raise RuntimeError(msg)
