"""The measurements of ``qtasks bench``."""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from qtasks.exc import ConfigError, QTasksError
from qtasks.schemas import TaskCall, TaskStatusEnum

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks._core.client import Client
    from qtasks.app.base import BaseQueueTasks

__all__ = ["QUEUE", "Bench", "Figure"]

#: The queue of the tasks that are measured.
QUEUE: Final = "qtasks-bench"
#: Seconds for which their records are kept.
_KEPT: Final = 60.0
#: Tasks of one call, where many are added.
_BULK: Final = 1000
#: The most tasks that are added one by one, and that are waited for one by one.
_SINGLE: Final = 1000
_WAITS: Final = 200
#: An argument as long as a typical one.
_TEXT: Final = "x" * 32


async def _coroutine(number: int, text: str, sleep: float) -> int:  # noqa: ARG001 - a typical call
    if sleep:
        await asyncio.sleep(sleep)
    return number


def _function(number: int, text: str, sleep: float) -> int:  # noqa: ARG001 - likewise
    if sleep:
        time.sleep(sleep)
    return number


#: The tasks, by their names.
_KINDS: Final = {"qtasks_bench_coroutine": _coroutine, "qtasks_bench_function": _function}


@dataclass
class Figure:
    """What was measured of one kind of work; all lists have one value for each round.

    Attributes:
        name: the kind of work.
        tasks: tasks of one round.
        clock: seconds by the clock.
        processor: seconds of this process's CPU.
        waits: seconds that each result took; empty where nobody waits.
    """

    name: str
    tasks: int
    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Tasks in a second, in the median round."""
        return self.tasks / statistics.median(self.clock)

    @property
    def cpu(self) -> float:
        """Seconds of CPU for each task, in the median round."""
        return statistics.median(self.processor) / self.tasks

    def percentile(self, percent: float) -> float:
        """Returns the seconds within which so many of all results were there."""
        place = math.ceil(len(self.waits) * percent / 100) - 1
        return sorted(self.waits)[max(place, 0)]

    def document(self) -> dict[str, Any]:
        """Returns the figure for programs: rates, and times in seconds."""
        found = {"name": self.name, "tasks": self.tasks, "rounds": len(self.clock)}
        if self.waits:
            return found | {"p50": self.percentile(50), "p99": self.percentile(99)}
        return found | {"per_second": self.rate, "clock": self.clock, "cpu_each": self.cpu}


class Bench:
    """Adds tasks and runs them, in a queue of their own, and measures both.

    Args:
        app: the app; it gets two more tasks.
        tasks: tasks of one round.
        sleep: seconds that each task waits.

    Attributes:
        steps: measurements of one round.
    """

    steps: int = 5

    def __init__(self, app: BaseQueueTasks, tasks: int, sleep: float) -> None:
        self._app = app
        self._tasks = tasks
        self._sleep = sleep
        single, waits = min(tasks, _SINGLE), min(tasks, _WAITS)
        self._one = Figure("add one by one", single)
        self._bulk = Figure(f"add {min(tasks, _BULK):,} in a call", tasks)
        self._coroutines = Figure("run coroutines", tasks)
        self._functions = Figure("run functions in threads", tasks)
        self._results = Figure("from adding to the result", waits)
        app.config.result_ttl = _KEPT
        app._discovery.register()  # noqa: SLF001 - what is installed is measured too
        for kind, function in _KINDS.items():
            if kind not in app.tasks:
                cast("Any", app).task(name=kind, queue=QUEUE)(function)

    async def run(self, rounds: int, advance: Callable[[int], None]) -> list[Figure] | None:
        """Measures.

        Args:
            rounds: how often each is measured.
            advance: told of every measurement that is done.

        Returns:
            The figures; None if a signal ended the worker before its tasks were over.

        Raises:
            ConfigError: somebody measures here at the same time.
        """
        client = self._app._client(self._app._connection)  # noqa: SLF001 - the one door for both kinds of app
        try:
            (found,) = await client.stats([QUEUE])
            if found.leased:
                msg = f"{found.leased} tasks of {QUEUE} run: is this measured somewhere else too?"
                raise ConfigError(msg)
            await client.purge(QUEUE)
            for _ in range(rounds):
                if not await self._round(client, advance):
                    return None
        finally:
            await client.purge(QUEUE)
            await client.stop()
        return [self._one, self._bulk, self._coroutines, self._functions, self._results]

    async def _round(self, client: Client, advance: Callable[[int], None]) -> bool:
        with _Watch(self._one):
            for number in range(self._one.tasks):
                await client.submit([_call("coroutine", number, self._sleep)])
        await client.purge(QUEUE)
        advance(1)
        with _Watch(self._bulk):
            coroutines = await self._add_all(client, "coroutine")
        advance(1)
        if not await self._drain(client, coroutines, self._coroutines):
            return False
        advance(1)
        if not await self._drain(client, await self._add_all(client, "function"), self._functions):
            return False
        advance(1)
        await self._wait(client)
        advance(1)
        return True

    async def _add_all(self, client: Client, kind: str) -> list[str]:
        """Adds the tasks of a round; returns their ids."""
        return [
            record.id
            for start in range(0, self._tasks, _BULK)
            for record in await client.submit(
                [
                    _call(kind, number, self._sleep)
                    for number in range(start, min(start + _BULK, self._tasks))
                ]
            )
        ]

    async def _drain(self, client: Client, ids: list[str], figure: Figure) -> bool:
        """Runs what was added; returns whether all of it has run."""
        worker = self._app.worker(queues=QUEUE, burst=True)
        with _Watch(figure):
            await worker.run()
        if worker.settled < self._tasks:
            return False
        await _check(client, ids)
        return True

    async def _wait(self, client: Client) -> None:
        """Measures single tasks, with a worker that has nothing else to do."""
        async with self._app.worker(queues=QUEUE):
            with _Watch(self._results):
                for number in range(self._results.tasks):
                    began = time.perf_counter()
                    (record,) = await client.submit([_call("coroutine", number, self._sleep)])
                    await client.wait([record.id], None)
                    self._results.waits.append(time.perf_counter() - began)


class _Watch:
    """Measures what happens inside."""

    def __init__(self, figure: Figure) -> None:
        self._figure = figure

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        clock, processor = self._began
        self._figure.clock.append(time.perf_counter() - clock)
        self._figure.processor.append(time.process_time() - processor)


def _call(kind: str, number: int, sleep: float) -> TaskCall:
    return TaskCall(f"qtasks_bench_{kind}", (number, _TEXT, sleep))


async def _check(client: Client, ids: list[str]) -> None:
    """Reads a few results, so that nothing is shown which did not happen."""
    some = ids[:: max(len(ids) // 100, 1)]
    for record in await client.get(some):
        if record is None or record.status is not TaskStatusEnum.SUCCESS:
            state = "gone" if record is None else record.reason or record.status
            msg = f"a task of the measurement did not succeed, it is {state}"
            raise QTasksError(msg)
