"""The worker: starts and stops its parts, and answers to signals, plugins and the keeper."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from qtasks._runtime.current import refuse_while_main_loads
from qtasks._runtime.logs import mark_handlers
from qtasks._runtime.signals import handle_signals
from qtasks._runtime.threads import ThreadPool
from qtasks._triggers.hangs import HangWatch
from qtasks._worker.attendance import Attendance
from qtasks._worker.burst import until_stopped
from qtasks._worker.changes import follow
from qtasks._worker.firing.keeping import Keeping
from qtasks._worker.firing.working import tell_started, tell_stop_asked, tell_stopped
from qtasks._worker.health import look_at, presence_of
from qtasks._worker.keeper import Keeper
from qtasks._worker.opening import open_patiently
from qtasks._worker.places import Pools
from qtasks._worker.plan import Plans
from qtasks._worker.processes import ProcessPool
from qtasks._worker.pump import Pump
from qtasks._worker.reports import Reports
from qtasks._worker.revoking import Revoking
from qtasks._worker.runner import Runner
from qtasks._worker.settled import tell_exchanged, tell_settled
from qtasks._worker.stopping import Stopping, shut_down
from qtasks._worker.streams import Streams
from qtasks.schemas import (
    Delivery,
    Extension,
    Held,
    Presence,
    Release,
    Swept,
    TaskDefinition,
    WorkerHealth,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtasks._config import QueueConfig
    from qtasks._core.connection import Connection
    from qtasks._runtime.channel import Channel
    from qtasks._triggers.registry import TriggerRegistry
    from qtasks._worker.runs import EchoMaker
    from qtasks.exc import ServerError
    from qtasks.schemas import Finished
    from qtasks.typing import Clock

__all__ = ["Worker"]

log = logging.getLogger("qtasks.worker")


class Worker:
    """Claims and runs tasks on the running loop.

    ``async with worker:`` runs it beside other code; :meth:`run` until it is stopped. It may be
    started again afterwards.

    Args:
        connection: the broker and its storage.
        tasks: the registered tasks by name.
        registry: the plugins.
        config: the settings.
        clock: the time.
        echo: makes the first argument of echo tasks.
        owner: the app, for plugins and for code that asks which app runs it.
        queues: the queues to take from; None for those of the settings.
        burst: end when the queues hold nothing that is ready.
        plans: how runs of the tasks go; None for a worker without an app.

    Attributes:
        id: names this worker in leases, records and statistics.
        settled: how many runs it has settled, without those that it gave back.
        given_back: how many runs it stopped and gave back to their queues.
        channel: the way to its supervisor, or None if it has none.
        on_settled: called after each settled run.
    """

    def __init__(
        self,
        connection: Connection,
        tasks: Mapping[str, TaskDefinition],
        registry: TriggerRegistry,
        config: QueueConfig,
        clock: Clock,
        *,
        echo: EchoMaker,
        owner: Any,
        queues: tuple[str, ...] | None = None,
        burst: bool = False,
        plans: Plans | None = None,
    ) -> None:
        self.id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.broker = connection.broker
        self._connection = connection
        self.config = config
        self.queues = queues or config.queues
        self.burst = burst
        self.settled = 0
        self.given_back = 0
        self.channel: Channel | None = None
        self.on_settled: Callable[[], None] | None = None
        self._tasks = tasks
        self._registry = registry
        self._plans = plans or Plans()
        self._clock = clock
        self._echo = echo
        self._owner = owner
        self._started_at = 0.0
        self._asked: deque[bool | None] = deque()  # how it was asked to stop, and has yet to hear
        self._waited = False
        self._doom: ServerError | None = None
        self._raised: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None

    @property
    def app(self) -> Any:
        """The app whose tasks it runs."""
        return self._owner

    async def run(self, *, retry: bool = False, signals: bool = True) -> None:
        """Runs until :meth:`stop` is called, a signal arrives, or a burst is done.

        SIGTERM and SIGINT stop it: running tasks get ``shutdown_timeout`` seconds, then they are
        given back. A second signal gives them back at once.

        Args:
            retry: wait for a broker that cannot be reached at the start.
            signals: whether signals are for this worker; False if somebody else answers to them.

        Raises:
            ServerUnavailableError: the broker cannot be reached, and ``retry`` is False.
            ServerError: the broker cannot be used.
        """
        self._prepare()
        restore = handle_signals(self._asked_to_stop) if signals else None
        try:
            if retry:
                failed = await open_patiently(self._connection, self, self._stopping)
                if failed is None:
                    return
                self._waited = failed > 0
            async with self:
                await until_stopped(self, self._stopping, self._pump)
        finally:
            self._loop = None
            if restore is not None:
                restore()

    async def __aenter__(self) -> Self:
        """Connects and begins to claim."""
        loop = self._prepare()
        self._started_at = self._clock.time()
        self._make_parts()
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(setattr, self, "_loop", None)
            stack.callback(mark_handlers())
            await self._connection.open(self)
            stack.push_async_callback(self._connection.close, self)
            stack.push_async_callback(self._registry.stop, self, "worker")
            await self._registry.start(self, "worker")
            await tell_started(self._registry.table, self._connection, self._owner, self)
            self._keeping = Keeping(self, self._registry, self._owner)
            self._cleanup = stack.pop_all()
        lease, waits = self.config.lease, self._pump.waits
        watch = HangWatch(self._registry.policy).look
        self._keeper = Keeper(
            self.broker, self, lease, waits=waits, after_outage=self._waited, watch=watch
        )
        self._waited = False
        self._keeper.start()
        self._main = loop.create_task(self._pump.run())
        self._main.add_done_callback(lambda _: self._stopping.set())
        self._unfollow = follow(self.config, self._pump, self._pools.threads, self._keeper)
        text = "Worker %s takes from %s: %d tasks at once, lease %g s, %d tasks known"
        slots, known = self.config.max_tasks_process, len(self._tasks)
        log.info(text, self.id, ", ".join(self.queues), slots, lease, known)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stops: see :meth:`run`."""
        async with self._cleanup:
            try:
                assert self._main is not None  # noqa: S101 - set where the worker was entered
                await shut_down(
                    self._main,
                    self._pump,
                    self._runner,
                    hurry=self._hurry,
                    patience=self.config.shutdown_timeout,
                    doomed=self._doom is not None,
                )
            finally:
                self._loop = None
                self._asked.clear()
                self._unfollow()
                await self._keeper.stop()
                self._pools.threads.close()
                self._pools.processes.close()
                await self._runner.close()
                self._raised = await self._keeping.beside.told() or self._raised
                await tell_stopped(self._registry.table, self._connection, self._owner, self)
        text = "Worker %s has stopped: %d runs finished, %d given back"
        log.info(text, self.id, self.settled, self.given_back)
        if error := self._doom or self._raised:
            raise error

    def _prepare(self) -> asyncio.AbstractEventLoop:
        """Gets ready to be stopped, unless :meth:`run` has done so; returns the running loop."""
        if self._loop is None:
            refuse_while_main_loads()
            self._stopping, self._hurry = Stopping(), asyncio.Event()
            self._doom = self._raised = None
            self._loop = asyncio.get_running_loop()
            self._heed()
        return self._loop

    def _make_parts(self) -> None:
        self._pools = Pools(
            threads=ThreadPool(self.config.threads, "qtasks-task"),
            processes=ProcessPool(self.config.processes),
        )
        self._pump = Pump(
            broker=self.broker,
            worker_id=self.id,
            queues=self.queues,
            config=self.config,
            start=self._start_run,
            stale=lambda delivery: self._revoking.drop(delivery.id, delivery.token),
            committed=self._committed,
            expired=lambda delivery, reason: self._revoking.cancel(delivery, reason),  # noqa: PLW0108 - it is made below
            exchanged=partial(tell_exchanged, self, self._registry, self._plugin_failed),
        )
        self._runner = Runner(
            worker=self,
            worker_id=self.id,
            owner=self._owner,
            tasks=self._tasks,
            registry=self._registry,
            plans=self._plans,
            config=self.config,
            pools=self._pools,
            clock=self._clock,
            attendance=Attendance(
                worker=self,
                config=self.config,
                echo=self._echo,
                reports=Reports(self._connection.storage, self._clock),
                streams=Streams(self._connection.storage, self.config, self._clock),
            ),
            on_finished=self._pump.finished,
        )
        self._revoking = Revoking(self._pump, self._runner)

    def stop(self, *, hurry: bool | None = None) -> None:
        """Asks the worker to stop; may be called from any thread, and again to hurry.

        Args:
            hurry: True gives running tasks back at once, False never does, however often it is
                asked; None hurries from the second time on.
        """
        self._asked.append(hurry)  # before the look at the loop: it may be there any moment
        if (loop := self._loop) is not None:
            loop.call_soon_threadsafe(self._heed)

    def stop_for(self, owner: object) -> None:
        """Asks the worker to stop, as :meth:`stop` does, because the app was asked to.

        Args:
            owner: the app, as plugins see it.
        """
        if self._main is not None and self._loop is not None:
            table = self._registry.table
            self._keeping.beside.tell(partial(tell_stop_asked, table, owner, self))
        self.stop()

    def retire(self) -> None:
        """Asks the worker to claim no more and to end when what runs has ended, however late.

        What it has not started goes back. Only on the loop, and only while it runs.
        """
        self._pump.drain()

    @property
    def started(self) -> bool:
        """Whether it ever claimed."""
        return self._main is not None

    @property
    def running(self) -> int:
        """How many tasks run now."""
        return self._runner.running

    @property
    def abandoned(self) -> int:
        """How many threads run on for nothing, because their task's time was over."""
        return self._pools.threads.abandoned

    def health(self) -> WorkerHealth:
        """Returns how it does now; may be called from any thread, once it has started."""
        runs = self._loop is not None and not (self._stopping.is_set() or self._pump.draining)
        return look_at(self, self._pump, self._runner, self._keeper, runs=runs, clock=self._clock)

    @property
    def time_left(self) -> float | None:
        """Seconds until it has to be gone, as :class:`Stopping` says; None if it need not stop."""
        return self._stopping.left(self.config.shutdown_timeout) if self.started else None

    # What the keeper asks, from its own thread

    def held(self) -> list[Held]:
        """Returns the deliveries whose leases are to be renewed."""
        return self._pump.held()

    def presence(self) -> Presence:
        """Returns how this worker reports itself."""
        return presence_of(self, self._runner.running, self._started_at)

    def kept(self, held: list[Held], extension: Extension, swept: Swept) -> None:
        """Takes the keeper's answers over to the loop."""
        self._keeping.kept(held, extension.lost, swept)
        if (extension.lost or extension.cancelled) and self._loop is not None:
            tokens = {delivery.id: delivery.token for delivery in held}
            self._loop.call_soon_threadsafe(self._revoking.apply, tokens, extension)

    def doomed(self, error: ServerError) -> None:
        """Takes over from the keeper that the broker cannot be used any more; the worker stops."""
        loop = self._loop
        if loop is not None and self._doom is None:
            self._doom = error
            log.error("The broker failed for good, the worker stops: %s", error)
            loop.call_soon_threadsafe(self._asked_to_stop)

    # Running

    def _start_run(self, delivery: Delivery) -> None:
        self._runner.start(delivery)

    async def _committed(self, finished: Finished, fenced: bool) -> None:  # noqa: FBT001 - the pump's answer
        if not fenced:
            back = isinstance(finished.settlement.outcome, Release)
            self.given_back += back
            self.settled += not back
        if self.on_settled is not None:
            self.on_settled()
        try:
            await tell_settled(self, self._registry, finished, fenced=fenced)
        except Exception as error:  # noqa: BLE001 - of a plugin whose failures are to be raised
            self._plugin_failed(error)

    def _plugin_failed(self, error: Exception) -> None:
        self._raised = self._raised or error
        self._asked_to_stop(hurry=False)

    # Stopping

    def _heed(self) -> None:
        while self._asked:
            self._asked_to_stop(hurry=self._asked.popleft())

    def _asked_to_stop(self, *, hurry: bool | None = None) -> None:
        if hurry or (hurry is None and self._stopping.is_set()):
            self._hurry.set()
        self._stopping.set()
