"""One simulation: workers of production classes, a broker in memory, and what is between them."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qtasks._core.connection import Connection
from qtasks.adapters.memory import MemoryBroker
from qtasks.adapters.memory.server import MemoryServer
from qtasks.contracts.codec import encode_arguments
from qtasks.exc import ServerUnavailableError
from qtasks.schemas import Message, Retention
from simulation.link import Link
from simulation.network import Network
from simulation.oracle import QUEUES, TTL, Oracle
from simulation.runs import Runs
from simulation.scenario import draw
from simulation.trace import Trace, Violation
from simulation.virtual import PROCESS, Process, VirtualClock, VirtualLoop
from simulation.work import Work, make_app

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

    from qtasks._worker.worker import Worker
    from simulation.scenario import Deed, Job, Scenario

__all__ = ["PLAIN", "Result", "Variant", "World", "simulate"]

#: Seconds until a dead worker is replaced, at most, and until its supervisor has told the broker.
_REPLACED: Final = 2.0
_TOLD: Final = 1.0
#: Seconds between two attempts of a producer, and between two looks whether all is over.
_AGAIN: Final = 0.3
_LOOK: Final = 0.5


@dataclass(frozen=True)
class Variant:
    """What of the system is other than in production, to see that it is noticed.

    Attributes:
        broker: carries out calls.
        link: sends them.
        own_clock: whether the broker takes the time of who asks.
        patch: changes classes of production while it is entered.
    """

    broker: type[MemoryBroker] = MemoryBroker
    link: type[Link] = Link
    own_clock: bool = False
    patch: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext


PLAIN: Final = Variant()


@dataclass(frozen=True)
class Result:
    """What came of a simulation.

    Attributes:
        scenario: what happened.
        violation: the first invariant that did not hold; None if all did.
        world: the rest.
    """

    scenario: Scenario
    violation: Violation | None
    world: World


def simulate(scenario: Scenario, variant: Variant = PLAIN) -> Result:
    """Runs a scenario to its end."""
    world = World(scenario, variant)
    with _quiet(world.trace), _seeded(scenario.seed), variant.patch():
        try:
            world.loop.run_until_complete(world.live())
        finally:
            world.loop.bury(world.processes.values())
            world.loop.close()
    return Result(scenario, world.violation, world)


class World:
    """Everything that lives in one simulation.

    Args:
        scenario: what is to happen.
        variant: what is other than in production.

    Attributes:
        loop: where all of it runs.
        trace: what happened.
        network: the way to the broker.
        violation: the first invariant that did not hold.
    """

    def __init__(self, scenario: Scenario, variant: Variant) -> None:
        self.loop = VirtualLoop()
        self.trace = Trace(self.loop)
        self.violation: Violation | None = None
        self.network = Network(self.loop, scenario, self.trace, self._failed)
        self._scenario = scenario
        self._variant = variant
        self._server = MemoryServer()
        self._clock = VirtualClock(self.loop)
        self.processes: dict[str, Process] = {}
        self._workers: dict[int, Worker] = {}
        self._runs = Runs(self.loop, scenario, self.processes)
        eye = MemoryBroker(clock=self._clock, server=self._server)
        self.oracle = Oracle(eye, scenario, self._runs, self._clock.time)
        self._kept: list[asyncio.Task[None]] = []  # also of the dead, which nobody else refers to
        self._ending = False
        broker = MemoryBroker(clock=self._clock, server=self._server)
        self._app = make_app(scenario, broker, Work(scenario, self._runs, self.trace, self._failed))
        self._ops = self._link(Process("ops", self.loop, trusted=True))
        self._producer = self._link(Process("client", self.loop, spared=True))

    async def live(self) -> None:
        """Runs the scenario, until all is over or something is wrong."""
        self._over = asyncio.Event()
        lives = [self._begin(self._life(number)) for number in range(self._scenario.workers)]
        adding = [self._begin(self._add(jobs)) for jobs in self._batches()]
        doing = [self._begin(self._do(deed)) for deed in self._scenario.deeds]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._scenario.calm):
                await self._over.wait()
        await self._calm_down()
        await self._wait(adding, "the producers", self._scenario.lease * 3)
        await self._wait(doing, "the deeds", self._scenario.calm)
        await self._until_ended()
        self._ending = True
        for worker in self._workers.values():
            worker.stop(hurry=True)
        await self._wait(lives, "the workers", self._scenario.lease * 3 + 10.0)
        await self._check_nothing_stays()

    # Workers

    async def _life(self, number: int) -> None:
        """Has a worker work, and replaces it whenever it is gone."""
        generation = 0
        while not self._ending and self.violation is None:
            name = f"w{number}.{generation}"
            process = self.processes[name] = Process(name, self.loop)
            worker = self._workers[number] = self._app._make_worker(
                Connection(self._link(process)), process.clock, queues=QUEUES
            )
            worker.id = name
            context = contextvars.copy_context()
            context.run(PROCESS.set, process)
            run = worker.run(retry=True, signals=False)
            running = self.loop.create_task(run, context=context)
            self._kept.append(running)
            await self._end_of(running, process)
            if not process.alive:
                await self._bury(process)
            generation += 1

    async def _end_of(self, running: asyncio.Task[None], process: Process) -> None:
        dead = asyncio.ensure_future(process.dead.wait())
        await asyncio.wait([running, dead], return_when=asyncio.FIRST_COMPLETED)
        if running.done() and (error := running.exception()) is not None:
            self._failed(Violation("I9 liveness", f"{process.name} ended: {error!r}"))

    async def _bury(self, process: Process) -> None:
        if self._scenario.supervised:
            await asyncio.sleep(draw(self._scenario.seed, process.name, "told") * _TOLD)
            await self._ops.expire(process.name)
        await asyncio.sleep(draw(self._scenario.seed, process.name, "replaced") * _REPLACED)

    # Producers and operators

    def _batches(self) -> list[list[Job]]:
        """Returns the jobs, those that are added at once together."""
        batches: dict[float, list[Job]] = {}
        for job in self._scenario.jobs:
            batches.setdefault(job.at, []).append(job)
        return list(batches.values())

    async def _add(self, jobs: list[Job]) -> None:
        await asyncio.sleep(jobs[0].at)
        payload = encode_arguments(((), {}), "the arguments")
        messages = [
            Message(
                id=job.id,
                task="work",
                queue=job.queue,
                payload=payload,
                priority=job.priority,
                delay=job.delay,
                expires=job.expires,
                unique_key=job.unique_key,
            )
            for job in jobs
        ]
        while True:
            try:
                await self._producer.publish(messages)
            except ServerUnavailableError:
                await asyncio.sleep(_AGAIN)
            else:
                return

    async def _do(self, deed: Deed) -> None:
        await asyncio.sleep(deed.at)
        self.trace.add("ops", "%s %d, %.3f s", deed.kind, deed.target, deed.seconds)
        queue = QUEUES[deed.target % len(QUEUES)]
        match deed.kind:
            case "outage":
                self.network.down_until = self.loop.time() + deed.seconds
            case "cancel":
                await self._ops.cancel(f"job-{deed.target}", "unwanted")
            case "requeue":
                await self._ops.requeue(f"job-{deed.target}")
            case "pause_queue":
                await self._ops.pause(queue)
                await asyncio.sleep(deed.seconds)
                await self._ops.resume(queue)
            case _:
                self._do_to_worker(deed)

    def _do_to_worker(self, deed: Deed) -> None:
        worker = self._workers[deed.target]
        process = self.processes[worker.id]
        if not process.alive:
            return
        if deed.kind == "restart":
            worker.stop()
        elif deed.kind == "kill":
            process.kill()
        else:
            process.freeze(deed.seconds)

    # The end

    async def _calm_down(self) -> None:
        """Faults stop; whoever hangs is cancelled."""
        self.network.calm = True
        self.network.down_until = 0.0
        self.trace.add("ops", "faults stop")

    async def _until_ended(self) -> None:
        """Waits until every task is over (I9)."""
        scenario = self._scenario
        work = sum(sum(s.seconds + s.delay for s in job.steps) for job in scenario.jobs)
        patience = 20 * scenario.lease + scenario.calm + 4 * work + 60.0
        until = self.loop.time() + patience
        while self.oracle.unended and self.violation is None:
            if self.loop.time() > until:
                what = f"{self.oracle.unended} are not over {patience:.0f} s after the faults"
                self._failed(Violation("I9 liveness", what))
            for job in scenario.jobs:
                if job.steps[-1].end == "hang" and job.id in self.oracle.unended:
                    await self._ops.cancel(job.id, "hangs")
            await asyncio.sleep(_LOOK)

    async def _check_nothing_stays(self) -> None:
        """Looks whether all is gone when its time is over (I11)."""
        if self.violation is not None:
            return
        self._guard(self.oracle.count)
        await asyncio.sleep(TTL + 1.0)
        await self._ops.inner.sweep(1000)
        store = self._server.store
        left = {
            "records": len(store.rows),
            "leases": len(store.leases),
            "deadlines": len(store.deadlines),
            "presences": len(await self._ops.inner.workers()),
            "keys": len(store.holds),
        }
        if any(left.values()):
            self._failed(Violation("I11 nothing stays", f"{left}"))
        if self.trace.alarm is not None:
            self._failed(Violation("I13 no alarm", self.trace.alarm))

    # Parts

    def _link(self, process: Process) -> Link:
        clock = process.clock if self._variant.own_clock else self._clock
        inner = self._variant.broker(clock=clock, server=self._server)
        inner.retention = Retention(TTL, TTL)
        return self._variant.link(process, inner, self.network, self.oracle)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self.loop.create_task(work)

    async def _wait(self, tasks: list[asyncio.Task[None]], who: str, patience: float) -> None:
        """Waits for a part of the simulation itself; an error in it is one of the simulation."""
        if self.violation is not None or not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=patience + 60.0)
        for task in tasks:
            if task.done():
                task.result()
        if late and self.violation is None:
            self._failed(Violation("I9 liveness", f"{who} do not come to an end"))

    def _guard(self, check: Callable[[], None]) -> None:
        try:
            check()
        except Violation as error:
            self._failed(error)

    def _failed(self, violation: Violation) -> None:
        if self.violation is None and not self.loop.burying:
            self.violation = violation
            self.trace.add("", "VIOLATED  %s", violation)
            self._over.set()


@contextlib.contextmanager
def _quiet(trace: Trace) -> Iterator[None]:
    """Has the engine log into the trace alone."""
    logger = logging.getLogger("qtasks")
    before = (logger.level, logger.propagate, logger.handlers)
    logger.level, logger.propagate, logger.handlers = logging.INFO, False, [trace]
    logging.Logger.manager._clear_cache()  # type: ignore[attr-defined]  # levels are cached
    try:
        yield
    finally:
        logger.level, logger.propagate, logger.handlers = before
        logging.Logger.manager._clear_cache()  # type: ignore[attr-defined]  # as above


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Makes the jitter of the engine the same each time."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
