"""A run: every step of the plan, with what it found or why it found nothing."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harness.bench import Bench
from harness.environment import Environment
from harness.measures import MEASURES
from harness.places import FilePlace, Place, ServerPlace
from harness.plan import plan
from harness.results import Failure, Results, Row
from harness.runlog import RepeatedTasksError
from harness.sizes import Pace, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from servers import Program

    from harness.catalogue import Peer
    from harness.plan import Step
    from harness.scale import Scale

__all__ = ["Session"]

T = TypeVar("T")

#: Tasks of the trial that every queue has to pass, and tells how quick it is.
TRIAL = 300
#: FailedError measurements after which a queue is given up.
ENOUGH = 3


class Session:
    """Measures queues.

    Args:
        run: the id of the run.
        peers: the queues.
        scale: how large the measurements are.
        program: the server.
        pythons: interpreters for the environments.
        seed: decides whatever is left to chance.
    """

    def __init__(
        self,
        run: str,
        peers: Sequence[Peer],
        scale: Scale,
        *,
        program: Program,
        pythons: Sequence[str],
        seed: int,
    ) -> None:
        self.results = Results()
        self._run = run
        self._scale = scale
        self._program = program
        self._seed = seed
        self._environments = {peer.name: Environment(peer, pythons) for peer in peers}
        self._paces = {peer.name: Pace() for peer in peers}
        self._began = 0.0

    def prepare(self) -> list[Peer]:
        """Installs every queue and tries it, and returns those that run."""
        able = []
        for name, environment in self._environments.items():
            self._say(f"trying {name} ...")
            if self._attempt(0, name, None, lambda e=environment: self._try(e)) is not None:  # type: ignore[misc]  # mypy cannot infer a default
                able.append(environment.peer)
        return able

    def measure(self, peers: Sequence[Peer], measures: Sequence[str], rounds: int) -> None:
        """Takes every measurement of every queue."""
        chosen = {name: MEASURES[name] for name in measures}
        steps = plan(peers, chosen, rounds)
        self._began = time.monotonic()
        for number, step in enumerate(steps):
            if not self._given_up(step):
                self._say(self._progress(number, len(steps), step))
                self._take(step)

    def _try(self, environment: Environment) -> bool:
        """Installs a queue and runs a few tasks, more when it proves to be quick."""
        environment.prepare()
        peer = environment.peer
        self.results.peers[peer.name] = {
            "promise": peer.promise,
            "classes": list(peer.classes),
            "versions": dict(environment.versions()),
            "worker": " ".join(peer.command(peer.usual)),
        }
        pace = self._paces[peer.name]
        for tasks in (TRIAL, fit(pace.drain, 10 * TRIAL, 1.0)):
            self._on_place(environment, lambda bench, tasks=tasks: bench.drain(tasks))  # type: ignore[misc]  # mypy cannot infer a default
        return True

    def _take(self, step: Step) -> None:
        measure = MEASURES[step.measure]
        environment = self._environments[step.peer]

        def take() -> dict[str, float | None]:
            def on(bench: Bench) -> dict[str, float | None]:
                return measure.take(bench, self._scale)

            return self._on_place(environment, on)

        began = time.monotonic()
        found = self._attempt(step.round, step.peer, step.measure, take)
        took = round(time.monotonic() - began, 1)
        if found is not None:
            self._say(" ".join(f"{key} {_short(value)}" for key, value in found.items()))
            rounded = {key: value and round(value, 4) for key, value in found.items()}
            row = Row(self._run, step.round, step.peer, step.measure, rounded, took)
            self.results.rows.append(row)

    def _on_place(self, environment: Environment, step: Callable[[Bench], T]) -> T:
        """Takes a step at an empty place of its own."""
        place: Place = FilePlace() if environment.peer.embedded else ServerPlace(self._program)
        pace = self._paces[environment.peer.name]
        try:
            with tempfile.TemporaryDirectory() as folder:
                return step(Bench(environment, place, Path(folder), pace, self._seed))
        finally:
            place.close()

    def _attempt(
        self, number: int, peer: str, measure: str | None, step: Callable[[], T]
    ) -> T | None:
        """Takes a step; what fails is noted, and once more tried if a task only ran twice."""
        for again in (True, False):
            try:
                return step()
            except Exception as error:  # noqa: BLE001 - whatever fails is noted, and the run goes on
                why = " ".join(str(error).split()) or type(error).__name__
                self._say(f"{peer}, {measure or 'trial'}: {why}")
                self.results.failures.append(Failure(self._run, number, peer, measure, why))
                if not (again and isinstance(error, RepeatedTasksError)):
                    return None
        return None

    def _given_up(self, step: Step) -> bool:
        """Whether a measurement has failed in this run, or too many of its queue have."""
        failed = {one.measure for one in self.results.failures if one.peer == step.peer}
        taken = {row.measure for row in self.results.rows if row.peer == step.peer}
        return len(failed - taken) >= ENOUGH or step.measure in failed - taken

    def _progress(self, number: int, steps: int, step: Step) -> str:
        passed = time.monotonic() - self._began
        left = f", about {passed / number * (steps - number) / 60:.0f} min left" if number else ""
        where = f"round {step.round + 1}, {step.measure} of {step.peer} ..."
        return f"[{number + 1}/{steps}{left}] {where}"

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}".rstrip("0").rstrip(".")
