"""What must hold, whatever goes wrong: checked after each call that the broker has carried out.

The oracle hears what was asked of the broker and what it answered, keeps a model of its own (the
one that the conformance suites compare every broker with), and looks at the broker's records. The
numbers in the names of the invariants are those of the list in CONTRIBUTING.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtasks.schemas import Cancel, Fail, Release, Retry, Success
from qtasks.testing.conformance.base import complete
from qtasks.testing.conformance.model import Model
from simulation.trace import violate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from qtasks.adapters.memory import MemoryBroker
    from qtasks.schemas import (
        Claim,
        Delivery,
        Extension,
        Held,
        Message,
        Receipt,
        Record,
        Settlement,
        Swept,
    )
    from qtasks.testing.conformance.model import ModelTask
    from simulation.runs import Runs
    from simulation.scenario import Scenario

__all__ = ["QUEUES", "TTL", "Oracle"]

QUEUES: Final = ("a", "b")
#: Seconds for which records are kept: longer than any simulation takes.
TTL: Final = 1e6
#: All tasks are looked at after so many steps; in between those that a step was about.
_ALL: Final = 8
#: What each end of a job may look like to the broker.
_KINDS: Final = {
    "ok": Success,
    "retry": Retry,
    "snooze": Retry,
    "fail": Fail,
    "reject": Fail,
    "discard": Cancel,
    "cancel": Cancel,
}


class Oracle:
    """Compares a broker with the model.

    Args:
        eye: looks at the broker's records, by the broker's clock.
        scenario: what happens.
        runs: what runs where.
        now: the broker's clock.

    Attributes:
        model: what the contract makes of all that was asked so far.
        steps: how many calls were checked.
    """

    def __init__(
        self, eye: MemoryBroker, scenario: Scenario, runs: Runs, now: Callable[[], float]
    ) -> None:
        self.now = now
        self.model = Model(ttl=TTL)
        self.steps = 0
        self._eye = eye
        self._jobs = {job.id: job for job in scenario.jobs}
        self._runs = runs
        self._tokens: dict[str, int] = {}
        self._final: dict[str, Record] = {}
        self._results: dict[str, bytes | None] = {}
        self._counted: dict[str, int] = {}
        self._unreported: set[str] = set()

    @property
    def unended(self) -> list[str]:
        """The ids of the tasks that are not over."""
        return [task.id for task in self.model.tasks.values() if not task.ended]

    # What was asked and answered

    def published(self, messages: Sequence[Message], receipts: Sequence[Receipt]) -> None:
        """Each id makes one task, and each unique key holds one (I1, I10)."""
        expected = [self.model.publish(message) for message in messages]
        seen = [(receipt.id, receipt.created) for receipt in receipts]
        if seen != expected:
            violate("I10 one task for each id and key", f"{seen}, but should be {expected}")

    def claimed(self, request: Claim, deliveries: Sequence[Delivery]) -> None:
        """Only what is due, not expired and not over, in its turn (I3, I5, I6, I7)."""
        overdue = [task for task in self.model.tasks.values() if self.model.overdue(task)]
        suspects = request.suspects
        for delivery in deliveries:
            allowed = self.model.next_in_turn(request.queues, suspects=suspects > 0)
            turn = [task.id for task in allowed]
            if delivery.id not in turn:
                violate("I7 in turn", f"{delivery.id} was handed out, its turn had {turn}")
            self._check_delivery(delivery, self.model.tasks[delivery.id])
            suspects -= delivery.lost > 0
            self.model.hand_out(delivery, request.worker, request.lease)
            self._runs.handed(delivery, request.worker)
        if len(deliveries) < request.limit and request.limit:
            left = self.model.next_in_turn(request.queues, suspects=suspects > 0)
            if left:
                violate("I7 in turn", f"{left[0].id} was left behind")
        for task in overdue:
            record = self._record(task.id)
            if record is not None and record.status == "cancel":
                self.model.end(task, "cancel", "expired")
                self._unreported.add(task.id)

    def settled(self, settlements: Sequence[Settlement], refused: Sequence[str]) -> None:
        """The newest token settles once, and no other one does (I2, I3, I4)."""
        expected = []
        for settlement in settlements:
            task = self.model.tasks.get(settlement.id)
            valid = task is not None and task.token == settlement.token
            if task is not None and valid and task.lease_until is not None:
                self._check_outcome(task, settlement)
            if self.model.settle(settlement):
                expected.append(settlement.id)
        if sorted(refused) != sorted(expected):
            what = f"refused were {sorted(refused)}, but should be {expected}"
            violate("I2 one valid token", what)

    def extended(self, held: Sequence[Held], lease: float, answer: Extension) -> None:
        """Who has the newest token keeps the task, and nobody else does (I2)."""
        for one in held:
            task = self.model.tasks.get(one.id)
            mine = task is not None and task.token == one.token
            if task is not None and mine and task.lease_until is None:
                continue  # settled: whether that counts as lost is left open
            if mine is (one.id in answer.lost):
                what = f"{one.id} under {one.token} is {'' if mine else 'not '}to be renewed"
                violate("I2 one valid token", what)
            if task is not None and mine:
                task.lease_until = self.model.now + lease
                if answer.cancelled.get(one.id) != task.cancel:
                    violate("I6 cancelled", f"{one.id}: {answer.cancelled} for {task.cancel!r}")

    def swept(self, swept: Swept) -> None:
        """What ran out is taken back, and nothing else (I9)."""
        due = {task.id for task in self.model.out_of_lease()}
        taken = {*swept.taken_back, *swept.convicted}
        for id_ in due:  # also those that are cancelled by it, which nobody reports
            self._take_back(self.model.tasks[id_])
            taken.discard(id_)
        if taken:
            violate("I2 one valid token", f"taken back before their time: {sorted(taken)}")
        overdue = {task.id for task in self.model.tasks.values() if self.model.overdue(task)}
        missed = overdue | self._unreported
        if missed != set(swept.expired):
            violate("I6 expired", f"{swept.expired} were cancelled instead of {missed}")
        for id_ in overdue:
            self.model.end(self.model.tasks[id_], "cancel", "expired")
        self._unreported.clear()

    def expired(self, worker: str, count: int) -> None:
        """All that a dead worker held is taken back at once."""
        held = [
            task
            for task in self.model.tasks.values()
            if task.lease_until is not None and task.worker == worker
        ]
        if count != len(held):
            violate("I8 conservation", f"{worker} held {len(held)} tasks, not {count}")
        for task in held:
            self._take_back(task)

    def cancelled(self, answers: Mapping[str, str], reason: str) -> None:
        """Cancelled is cancelled, and what runs is asked to end (I6)."""
        for id_, answer in answers.items():
            task = self.model.tasks.get(id_)
            expected = "unknown"
            if task is not None and task.ended:
                expected = "finished"
            elif task is not None and task.lease_until is not None:
                task.cancel, expected = task.cancel or reason, "requested"
            elif task is not None:
                self.model.end(task, "cancel", reason)
                expected = "cancelled"
            if answer != expected:
                violate("I6 cancelled", f"{id_}: {answer} instead of {expected}")

    def requeued(self, ids: Sequence[str], moved: Sequence[str]) -> None:
        """Dead letters go back, once (I10)."""
        for id_ in self.model.requeue([one for one in ids if one in self.model.tasks]):
            self._final.pop(id_, None)
            self._counted[id_] = 0
            if id_ not in moved:
                violate("I8 conservation", f"{id_} was not sent back")

    # What must hold now

    def look(self, touched: Iterable[str]) -> None:
        """Compares records with the model, and counts (I1, I3, I8)."""
        self.steps += 1
        everything = self.steps % _ALL == 0
        ids = list(self.model.tasks) if everything else list(dict.fromkeys(touched))
        for id_, record in zip(ids, complete(self._eye.storage.get(ids)), strict=True):
            task = self.model.tasks.get(id_)
            if task is not None and not self.model.overdue(task):
                self._compare(task, record)
        if everything:
            self.count()

    def count(self) -> None:
        """Counts the tasks in each state (I8)."""
        for queue in QUEUES:
            tasks = [t for t in self.model.tasks.values() if t.message.queue == queue]
            if any(map(self.model.overdue, tasks)):
                continue
            stats = complete(self._eye.stats(queue))
            waiting = sum(task.waits for task in tasks)
            leased = sum(task.lease_until is not None for task in tasks)
            ended = sum(task.ended for task in tasks)
            seen = (stats.ready + stats.delayed, stats.leased, stats.finished)
            if seen != (waiting, leased, ended):
                what = f"{queue} has {seen} instead of {(waiting, leased, ended)}"
                violate("I8 conservation", what)

    def _check_delivery(self, delivery: Delivery, task: ModelTask) -> None:
        if delivery.token <= self._tokens.get(task.id, 0):
            violate("I2 one valid token", f"{task.id} got the token {delivery.token} again")
        self._tokens[task.id] = delivery.token
        seen = (delivery.attempts, delivery.snoozes, delivery.lost, delivery.deliveries)
        expected = (task.attempts, task.snoozes, task.lost, task.deliveries + 1)
        if seen != expected:
            violate("I4 counts", f"{task.id} was handed out with {seen}, not {expected}")

    def _check_outcome(self, task: ModelTask, settlement: Settlement) -> None:
        """Checks that an outcome which counts is that of a run, and says what the job said."""
        outcome, job = settlement.outcome, self._jobs[task.id]
        counted = self._counted.get(task.id, 0)
        end = job.step(counted + task.snoozes).end
        if isinstance(outcome, Retry | Fail):
            counted += not (isinstance(outcome, Retry) and not outcome.counted)
        self._counted[task.id] = counted
        if settlement.attempts != counted:
            what = f"{task.id} has {settlement.attempts} attempts instead of {counted}"
            violate("I4 counts", what)
        if isinstance(outcome, Success):
            self._results[task.id] = outcome.result
            if not self._runs.completed(task.id, settlement.token):
                violate("I4 counts", f"{task.id} succeeded without a run")
        asked = isinstance(outcome, Cancel) and (
            task.cancel is not None
            or (task.deadline is not None and not self._runs.started(task.id, settlement.token))
        )
        if not (asked or isinstance(outcome, Release)) and not isinstance(outcome, _KINDS[end]):
            violate("I4 counts", f"{task.id} ended with {outcome!r} instead of {end}")

    def _take_back(self, task: ModelTask) -> None:
        self._runs.lost(task, self.model.now)
        if self.model.take_back(task) == "convicted":
            self._runs.convicted(task.id)

    def _compare(self, task: ModelTask, record: Record | None) -> None:
        if record is None:
            violate("I1 nothing vanishes", f"{task.id} ({task.status}) is gone")
        seen: tuple[object, ...] = (
            *(record.status, record.attempts, record.snoozes, record.lost, record.deliveries),
            *(record.dead, record.reason, record.requeues, record.finished_at is not None),
        )
        expected = (
            *(task.status, task.attempts, task.snoozes, task.lost, task.deliveries),
            *(task.dead, task.reason, task.requeues, task.ended),
        )
        if seen != expected:
            violate("I1 nothing vanishes", f"{task.id} is {seen} instead of {expected}")
        if task.status == "success" and record.result != self._results.get(task.id):
            violate("I3 terminal is final", f"{task.id} has the result of another run")
        if task.ended and self._final.setdefault(task.id, record) != record:
            violate("I3 terminal is final", f"{task.id} has changed after its end")

    def _record(self, id_: str) -> Record | None:
        (record,) = complete(self._eye.storage.get([id_]))
        return record
