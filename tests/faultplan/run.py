"""One run of a case: its seed, its size, its processes, and the registry of cases."""

from __future__ import annotations

import contextlib
import random
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from faultplan.crew import Crew, until
from faultplan.ledger import Acknowledged, Fault, Ledger
from faultplan.oracle import Tally, count
from faultplan.system import Place, Unacknowledged, WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from faultplan.brokers import Broker
    from faultplan.report import Report
    from faultplan.system import Job, Session, System

__all__ = ["CASES", "COMPARED", "Case", "Run", "case"]

#: Seconds until the tasks of a run must have ended, once nothing is broken any more.
_DRAIN: Final = 180.0
#: Tasks that are added in one call.
_BATCH: Final = 100


@dataclass(frozen=True)
class Case:
    """A case of the plan.

    Attributes:
        name: such as ``F1``.
        title: what is broken, in a few words.
        run: does it.
        tasks: how many tasks it adds by default.
        kills: how often it breaks something by default.
        brokers: on which brokers it runs.
        planned: whether it is one of ``all``.
    """

    name: str
    title: str
    run: Callable[[Run], Report]
    tasks: int
    kills: int
    brokers: tuple[str, ...]
    planned: bool


#: The cases by name.
CASES: dict[str, Case] = {}
#: Those that queues are compared in, by name; see `faultplan.cases.compared`.
COMPARED: dict[str, Case] = {}


def case(
    name: str,
    title: str,
    *,
    tasks: int,
    kills: int,
    brokers: tuple[str, ...] = ("sqlite", "redis"),
    planned: bool = True,
    compared: bool = False,
) -> Callable[[Callable[[Run], Report]], Callable[[Run], Report]]:
    """Registers a case.

    Args:
        name: such as ``F1``.
        title: what is broken, in a few words.
        tasks: how many tasks it adds by default.
        kills: how often it breaks something by default.
        brokers: on which brokers it makes sense.
        planned: whether it is one of ``all``.
        compared: whether it is the form of the case in which queues are compared.
    """
    cases = COMPARED if compared else CASES

    def register(function: Callable[[Run], Report]) -> Callable[[Run], Report]:
        assert name not in cases, f"two cases are called {name}"
        cases[name] = Case(name, title, function, tasks, kills, brokers, planned)
        return function

    return register


class Run:
    """What a case works with.

    Args:
        system: the queue.
        broker: its broker.
        folder: for the files of the run.
        seed: decides everything that is left to chance here.
        tasks: how many tasks to add.
        kills: how often to break something.
        quiet: whether progress is not shown.

    Attributes:
        rng: chance, from the seed.
        place: broker and folder, as the system wants them.
    """

    def __init__(
        self,
        system: System,
        broker: Broker,
        folder: Path,
        *,
        seed: int,
        tasks: int,
        kills: int,
        quiet: bool = True,
    ) -> None:
        self.system = system
        self.broker = broker
        self.folder = folder
        self.tasks = tasks
        self.kills = kills
        self.rng = random.Random(seed)
        self.place = Place(broker.url, folder)
        self.faults: list[Fault] = []
        self._quiet = quiet
        self._said = 0.0
        self._stack = contextlib.ExitStack()
        self._acknowledged = folder / "acknowledged"
        self._crews: list[Crew] = []
        self.session: Session = system.connect(self.place)
        self._stack.callback(self.session.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def crew(self, **settings: Any) -> Crew:
        """Makes a crew with `WorkerSettings`; it ends with the run."""
        crew = Crew(self.system, self.place, WorkerSettings(**settings))
        self._stack.callback(crew.close)
        self._crews.append(crew)
        return crew

    def connect(self) -> Session:
        """Opens one more session, for another thread; it ends with the run."""
        session = self.system.connect(self.place)
        self._stack.callback(session.close)
        return session

    def fault(self, kind: str) -> None:
        """Notes that something else than a worker was broken."""
        self.faults.append(Fault(kind, time.monotonic()))

    def add(self, jobs: Iterable[Job]) -> list[str]:
        """Adds tasks and notes those that were acknowledged; others are left out.

        Returns:
            the ids of the acknowledged ones.
        """
        return self.add_through(self.session, jobs)

    def add_through(self, session: Session, jobs: Iterable[Job]) -> list[str]:
        """Adds tasks through another session."""
        ledger, added, everything = Acknowledged(self._acknowledged), [], list(jobs)
        try:
            for start in range(0, len(everything), _BATCH):
                batch = everything[start : start + _BATCH]
                with contextlib.suppress(Unacknowledged):
                    ids = session.enqueue(batch)
                    ledger.note(batch, ids)
                    added += ids
        finally:
            ledger.close()
        return added

    @contextlib.contextmanager
    def feeding(self, batches: Iterator[Sequence[Job]], pause: float) -> Iterator[None]:
        """Adds tasks beside what follows, from a thread with a session of its own.

        Args:
            batches: the tasks; when the block ends, no more of them are taken.
            pause: seconds between two batches.
        """
        session, over = self.connect(), threading.Event()

        def feed() -> None:
            for batch in batches:
                self.add_through(session, batch)
                if over.wait(pause):
                    return

        thread = threading.Thread(target=feed, name="feed", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def ledger(self) -> Ledger:
        """Reads the evidence so far."""
        faults = [*self.faults, *(fault for crew in self._crews for fault in crew.faults)]
        others = sorted(self.folder.glob("acknowledged-*"))
        return Ledger.read([self._acknowledged, *others], self.place.notes, faults)

    def drained(self, patience: float = _DRAIN) -> Tally:
        """Waits until every acknowledged task has ended, or time is over, and counts."""
        deadline = time.monotonic() + patience
        ids = list(self.ledger().ids.values())
        open_ids = ids
        while open_ids and time.monotonic() < deadline:
            time.sleep(0.1)
            found = self.session.ends(open_ids)
            open_ids = [task_id for task_id in open_ids if not found[task_id].final]
            self.say(f"{len(ids) - len(open_ids)} of {len(ids)} tasks have ended")
        return self.tally()

    def tally(self) -> Tally:
        """Counts what can be seen now."""
        ledger = self.ledger()
        return count(ledger, self.session.ends(list(ledger.ids.values())))

    def until(self, condition: Callable[[], object], what: str) -> float:
        """Waits for something; returns the seconds it took."""
        self.say(f"until {what}")
        return until(condition, what)

    def say(self, text: str) -> None:
        """Shows progress, at most twice a second."""
        if not self._quiet and time.monotonic() - self._said > 0.5:
            self._said = time.monotonic()
            sys.stderr.write(f"\r\x1b[K  {text}" if sys.stderr.isatty() else "")
            sys.stderr.flush()
