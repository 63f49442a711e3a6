"""What every measurement of a queue does: add tasks, run a worker, look at what became of them."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.processes import Used, memory_mb
from harness.runlog import RunLog
from harness.running import FailedError, produce, worker
from harness.settling import wait_until_quiet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from subprocess import Popen

    from harness.environment import Environment
    from harness.places import Place
    from harness.sizes import Pace

#: Seconds in which a worker must have begun all tasks.
PATIENCE = 60.0
#: One result of so many is read back.
EACH = 100


@dataclass(frozen=True)
class Drain:
    """How a worker ran tasks that were all there before it started.

    Attributes:
        tasks: how many.
        seconds: from the first run to the last recorded outcome.
        commands: that the server ran for them, or changes of a file.
        worker_cpu: seconds, from the first run on.
        server_cpu: seconds; None if there is no server.
        memory: MB of the worker and its children, at the end.
        left: bytes that remain, results included.
    """

    tasks: int
    seconds: float
    commands: int
    worker_cpu: float
    server_cpu: float | None
    memory: float
    left: int

    @property
    def rate(self) -> float:
        """Tasks a second."""
        return self.tasks / self.seconds


class Bench:
    """A queue at its place.

    Args:
        environment: where it is installed.
        place: where it lives; nothing else is there.
        folder: for files.
        pace: how quick it was so far; it is brought up to date.
        seed: decides whatever is left to chance.
    """

    def __init__(
        self, environment: Environment, place: Place, folder: Path, pace: Pace, seed: int
    ) -> None:
        self.environment = environment
        self.place = place
        self.pace = pace
        self.seed = seed
        self._folder = folder

    def add(self, mode: str, tasks: int, **options: object) -> dict[str, object]:
        """Adds tasks in one of the producer's ways, and returns what that told."""
        return produce(self.environment, self.place.url, mode, tasks=tasks, **options)

    def fill(self, tasks: int, kind: str = "noop") -> dict[int, str]:
        """Adds tasks to an empty place, the quickest way, and returns their ids.

        Raises:
            FailedError: two of them got the same id.
        """
        self.place.clear()
        filled = produce(self.environment, self.place.url, "bulk", tasks=tasks, kind=kind)
        if not filled["added"]:
            filled = produce(self.environment, self.place.url, "together", tasks=tasks, kind=kind)
        self.pace.fill = filled["added"] / filled["seconds"]
        ids = dict(enumerate(filled["ids"]))
        if len(set(ids.values())) != tasks:
            msg = f"{tasks} tasks were added and got {len(set(ids.values()))} ids"
            raise FailedError(msg)
        return ids

    @contextlib.contextmanager
    def working(
        self, room: int, slots: int | None = None, url: str | None = None
    ) -> Iterator[tuple[Popen[bytes], RunLog]]:
        """Runs a worker that may run so many tasks."""
        log = RunLog(self._folder / "ledger", room)
        said = self._folder / "worker.log"
        where = url or self.place.url
        slots = slots or self.environment.peer.usual
        with worker(self.environment, where, log.path, slots, said) as process:
            yield process, log

    def wait(
        self, process: Popen[bytes], log: RunLog, tasks: int, patience: float = PATIENCE
    ) -> None:
        """Waits until so many tasks have begun.

        Raises:
            FailedError: the worker ended, or took too long.
        """
        deadline = time.monotonic() + patience
        while not log.has(tasks):
            if process.poll() is not None:
                msg = f"the worker ended with {process.returncode}: {self._tail()}"
                raise FailedError(msg)
            if time.monotonic() > deadline:
                msg = f"{len(log.runs())} of {tasks} tasks ran in {patience:.0f} s: {self._tail()}"
                raise FailedError(msg)
            time.sleep(0.002)

    def drain(self, tasks: int, kind: str = "noop", slots: int | None = None) -> Drain:
        """Adds tasks, runs them, and sees that each ran once and has its result.

        Raises:
            FailedError: a task was lost, ran twice, or returned something else.
        """
        ids = self.fill(tasks, kind)
        with (
            self.place.listening() as said,
            self.working(tasks, slots) as (process, log),
        ):
            self.wait(process, log, 1)
            used = Used(process.pid, self.place)
            self.wait(process, log, tasks)
            last = wait_until_quiet(used.beside(said), self.place.noise)
            starts = log.once(range(tasks))
            drain = Drain(
                tasks=tasks,
                seconds=last.time - min(starts.values()) / 1e9,
                commands=last.said,
                worker_cpu=used.worker,
                server_cpu=used.server,
                memory=memory_mb(process.pid),
                left=self.place.size(),
            )
            self.read_back(ids)
            log.once(range(tasks))
        if kind == "noop":
            self.pace.drain = drain.rate
        return drain

    def read_back(self, ids: dict[int, str]) -> None:
        """Reads every hundredth result and the last.

        Raises:
            FailedError: one is missing or wrong.
        """
        numbers: Iterable[int] = {*range(0, len(ids), EACH), max(ids)}
        some = {number: ids[number] for number in numbers}
        found = produce(self.environment, self.place.url, "check", stdin=some)
        if found["wrong"]:
            msg = f"wrong or missing results of tasks {found['wrong'][:5]}"
            raise FailedError(msg)

    def _tail(self) -> str:
        """Returns the end of what the worker wrote."""
        path = self._folder / "worker.log"
        said = path.read_text(errors="replace") if path.exists() else ""
        return " ".join(said.split())[-300:] or "it said nothing"
