"""What the state machine stands on: its life, and the comparison with the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec
from hypothesis.stateful import RuleBasedStateMachine, invariant

from qtasks.schemas import (
    Claim,
    Delivery,
    Message,
    Outcome,
    Retention,
    Retry,
    Settlement,
    Swept,
)
from qtasks.testing.clock import FakeClock
from qtasks.testing.conformance.base import complete
from qtasks.testing.conformance.model import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.contracts.broker import BaseBroker
    from qtasks.contracts.storage import BaseStorage
    from qtasks.schemas import Record
    from qtasks.testing.conformance.model import ModelTask
    from qtasks.typing import Clock

__all__ = ["QUEUES", "TTL", "ComparingMachine"]

QUEUES = ("a", "b")

#: How long finished tasks are kept, in the machine's steps of time.
TTL = 8.5


class ComparingMachine(RuleBasedStateMachine):
    """Connects a broker and a model, and says where they differ; the rules are in a subclass.

    Attributes:
        STEP: real seconds of one step of time, for servers that keep their own.
    """

    STEP: ClassVar[float] = 1.0

    def make_broker(self, clock: Clock) -> BaseBroker:
        """Returns a fresh, empty broker; its blocking twin is used unless it blocks itself."""
        raise NotImplementedError

    def make_clock(self) -> Clock:
        """Returns the clock for the broker; one that is no ``FakeClock`` is waited for."""
        return FakeClock()

    def __init__(self) -> None:
        super().__init__()
        self.clock = self.make_clock()
        self.model = Model(ttl=TTL)
        self.deliveries: list[Delivery] = []
        self.sent: list[Message] = []
        self.final: dict[str, Record] = {}
        self.tokens: dict[str, int] = {}
        self.unreported: set[str] = set()

    def connect(self) -> None:
        """Starts the broker."""
        self.broker = self.blocking(self.make_broker(self.clock))
        storage = self.broker.storage
        assert storage is not None, "the machine needs a broker with records"
        self.storage: BaseStorage = storage
        complete(self.broker.start())
        retention = Retention(self.seconds(TTL), self.seconds(TTL))
        self.broker.retention = self.storage.retention = retention

    def blocking(self, broker: BaseBroker) -> BaseBroker:
        """Returns the blocking twin of a broker."""
        twin = broker.client()
        assert twin is not None, "the machine needs a broker with blocking twins"
        return twin

    def teardown(self) -> None:
        """Leaves nothing behind."""
        if hasattr(self, "broker"):
            complete(self.broker.flush())
            complete(self.broker.stop())

    def seconds(self, steps: float) -> float:
        """Returns the broker's seconds for steps of time."""
        return steps * self.STEP

    # What must come of it

    def send(self, messages: Sequence[Message]) -> None:
        """Publishes, and checks the receipts."""
        receipts = complete(self.broker.publish([self.timed(message) for message in messages]))
        expected = [self.model.publish(message) for message in messages]
        assert [(receipt.id, receipt.created) for receipt in receipts] == expected

    def timed(self, message: Message) -> Message:
        """Returns a message with the broker's seconds."""
        expires = None if message.expires is None else self.seconds(message.expires)
        delay, window = self.seconds(message.delay), self.seconds(message.unique_window)
        return msgspec.structs.replace(message, delay=delay, expires=expires, unique_window=window)

    def scaled(self, outcome: Outcome) -> Outcome:
        """Returns an outcome with the broker's seconds."""
        if not isinstance(outcome, Retry):
            return outcome
        return msgspec.structs.replace(outcome, delay=self.seconds(outcome.delay))

    def sent_as(self, settlement: Settlement) -> Settlement:
        """Returns a settlement with the broker's seconds."""
        return msgspec.structs.replace(settlement, outcome=self.scaled(settlement.outcome))

    def note(self, settlements: Sequence[Settlement]) -> list[str]:
        """Settles in the model; returns the ids that are to be refused."""
        return [settlement.id for settlement in settlements if self.model.settle(settlement)]

    def check_exchange(self, batch: Sequence[Settlement], request: Claim) -> None:
        """Settles and claims in one call, which comes to the same as one after the other."""
        overdue = [task for task in self.model.tasks.values() if self.model.overdue(task)]
        scaled = msgspec.structs.replace(request, lease=self.seconds(request.lease))
        answer = complete(self.broker.exchange([self.sent_as(one) for one in batch], scaled))
        assert sorted(answer.refused) == sorted(self.note(batch))
        self.check_deliveries(request, answer.deliveries, overdue)

    def check_claim(self, request: Claim) -> None:
        """Claims, and checks each delivery against what was next in turn."""
        overdue = [task for task in self.model.tasks.values() if self.model.overdue(task)]
        lease = self.seconds(request.lease)
        found = complete(self.broker.claim(msgspec.structs.replace(request, lease=lease)))
        self.check_deliveries(request, found, overdue)

    def check_deliveries(
        self, request: Claim, found: Sequence[Delivery], overdue: Sequence[ModelTask]
    ) -> None:
        """Checks what was handed out.

        Args:
            request: what was asked for.
            found: what was handed out.
            overdue: the tasks that were overdue before, which a claim may cancel.
        """
        suspects = request.suspects
        assert len(found) <= request.limit
        for delivery in found:
            allowed = self.model.next_in_turn(request.queues, suspects=suspects > 0)
            assert delivery.id in [task.id for task in allowed], "it was not its turn"
            self.check_delivery(delivery, self.model.tasks[delivery.id])
            suspects -= delivery.lost > 0
            self.model.hand_out(delivery, request.worker, request.lease)
            self.deliveries.append(delivery)
        if len(found) < request.limit:
            allowed = self.model.next_in_turn(request.queues, suspects=suspects > 0)
            assert [task.id for task in allowed] == [], "it was left behind"
        for task in overdue:
            record = self.record(task.id)
            if record is not None and record.status == "cancel":
                self.model.end(task, "cancel", "expired")
                self.unreported.add(task.id)

    def check_delivery(self, delivery: Delivery, task: ModelTask) -> None:
        """Checks what a worker is told about a task."""
        assert delivery.token > self.tokens.get(task.id, 0), "tokens only grow"
        self.tokens[task.id] = delivery.token
        assert without_hold(delivery.message) == without_hold(self.timed(task.message))
        counts = (delivery.attempts, delivery.snoozes, delivery.lost, delivery.deliveries)
        assert counts == (task.attempts, task.snoozes, task.lost, task.deliveries + 1)

    def check_sweep(self, limit: int) -> Swept:
        """Does one round of housekeeping, and checks that it does what is due and no more."""
        tasks = self.model.tasks
        due = {task.id for task in self.model.out_of_lease()}
        overdue = {task.id for task in tasks.values() if self.model.overdue(task)}
        swept = complete(self.broker.sweep(limit))
        for id_ in (*swept.taken_back, *swept.convicted):
            assert id_ in due, "its lease has not run out"
            expected = "convicted" if id_ in swept.convicted else "taken back"
            assert self.model.take_back(tasks[id_]) == expected
        for id_ in due - {*swept.taken_back, *swept.convicted}:
            record = self.record(id_)
            if tasks[id_].cancel is not None and record is not None and record.finished_at:
                assert self.model.take_back(tasks[id_]) == "cancelled"
        for id_ in swept.expired:
            if id_ in self.unreported:
                self.unreported.remove(id_)
                continue
            if tasks[id_].lease_until is not None and id_ in due:  # both in the same round
                self.model.take_back(tasks[id_])
            assert self.model.overdue(tasks[id_]), "it could still be started"
            self.model.end(tasks[id_], "cancel", "expired")
        self.check_bounds(swept, limit)
        fading = [task.id for task in tasks.values() if self.model.fading(task)]
        left = [id_ for id_ in fading if self.record(id_) is not None]
        for id_ in fading:
            if id_ not in left:
                self.forget(id_)
        if not swept.more:
            undone = {task.id for task in self.model.out_of_lease()} & due
            undone |= {id_ for id_ in overdue if id_ in tasks and not tasks[id_].ended}
            assert undone | self.unreported | set(left) == set(), "there is more"
        return swept

    def check_bounds(self, swept: Swept, limit: int) -> None:
        """Checks that a round did not do too much."""
        assert len(swept.taken_back) + len(swept.convicted) <= limit
        assert len(swept.expired) <= limit
        assert swept.purged <= limit

    def tidy(self) -> None:
        """Sweeps everything, if it is left open whether something is still there."""
        tasks = self.model.tasks.values()
        if any(self.model.overdue(task) or self.model.fading(task) for task in tasks):
            for _ in range(10):
                swept = self.check_sweep(100)
                if swept == Swept(next_lease_end=swept.next_lease_end):
                    return
            msg = "the sweep finds something, over and over"
            raise AssertionError(msg)

    def forget(self, id_: str) -> None:
        """Notes that a record is gone."""
        del self.model.tasks[id_]
        self.final.pop(id_, None)

    def record(self, id_: str) -> Record | None:
        """Reads one record."""
        (record,) = complete(self.storage.get([id_]))
        return record

    # What always holds

    @invariant()
    def records_agree(self) -> None:
        """Nothing vanishes, every record says what the model says, and terminal is final."""
        tasks = list(self.model.tasks.values())
        records = complete(self.storage.get([task.id for task in tasks])) if tasks else ()
        for task, record in zip(tasks, records, strict=True):
            if self.model.fading(task) or self.model.overdue(task):
                continue
            assert record is not None, f"{task.id} has vanished"
            self.check_record(record, task)
            if task.ended:
                assert self.final.setdefault(task.id, record) == record, "terminal is final"

    def check_record(self, record: Record, task: ModelTask) -> None:
        """Compares a record with the model."""
        counts = (record.attempts, record.snoozes, record.lost, record.deliveries)
        assert counts == (task.attempts, task.snoozes, task.lost, task.deliveries)
        assert (record.status, record.dead) == (task.status, task.dead)
        assert (record.reason, record.requeues) == (task.reason, task.requeues)
        assert (record.finished_at is not None) is task.ended
        if task.token is not None:
            assert record.token == task.token

    @invariant()
    def counts_add_up(self) -> None:
        """Each task is counted once, in the state it is in."""
        for queue in QUEUES:
            tasks = [t for t in self.model.tasks.values() if t.message.queue == queue]
            if any(self.model.overdue(task) or self.model.fading(task) for task in tasks):
                continue
            stats = complete(self.broker.stats(queue))
            waiting = [task for task in tasks if task.waits]
            ready = sum(task.due <= self.model.now for task in waiting)
            assert (stats.ready, stats.delayed) == (ready, len(waiting) - ready)
            assert stats.leased == sum(task.lease_until is not None for task in tasks)
            assert stats.finished == sum(task.ended for task in tasks)
            assert stats.dead == sum(task.dead for task in tasks)
            assert stats.paused is (queue in self.model.paused)


def without_hold(message: Message) -> Message:
    """Returns a message without how its key is held, which a delivery need not repeat."""
    return msgspec.structs.replace(
        message, unique_until="finished", unique_window=0.0, unique_replaces=False
    )
