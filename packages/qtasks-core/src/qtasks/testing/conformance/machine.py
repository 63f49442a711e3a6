"""A state machine that drives a broker at random and compares it with a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from qtasks.schemas import (
    Cancel,
    Claim,
    Delivery,
    Fail,
    Held,
    Message,
    Outcome,
    Release,
    Retention,
    Retry,
    Settlement,
    Success,
    Swept,
)
from qtasks.testing.clock import FakeClock
from qtasks.testing.conformance.base import complete
from qtasks.testing.conformance.lines import BROKEN
from qtasks.testing.conformance.model import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.contracts.broker import BaseBroker
    from qtasks.contracts.storage import BaseStorage
    from qtasks.schemas import Record
    from qtasks.testing.conformance.model import ModelTask
    from qtasks.typing import Clock

__all__ = ["BrokerMachine"]

QUEUES = ("a", "b")

#: How long finished tasks are kept, in the machine's steps of time.
TTL = 8.5

#: From how many tasks on everything is brought to an end now and then.
SOME = 8

# Time moves in whole steps and everything lasts some steps and a half, so that nothing is ever
# decided by a hair.
lengths = st.sampled_from([0.5, 1.5, 3.5])
delays = st.sampled_from([0.0, 0.0, 1.5, 3.5])
queue_orders = st.sampled_from([("a",), ("b",), ("a", "b"), ("b", "a")])
workers = st.sampled_from(["w1", "w2"])
fields = st.fixed_dictionaries(
    {
        "queue": st.sampled_from(QUEUES),
        "priority": st.integers(-1, 1),
        "delay": delays,
        "expires": st.sampled_from([None, None, 2.5, 6.5]),
        "unique_key": st.sampled_from([None, None, None, "k"]),
    }
)
outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.just(Success(b"result")),
    st.builds(Retry, delay=delays, counted=st.booleans()),
    st.just(Fail(BROKEN, "exhausted")),
    st.just(Cancel("discarded")),
    st.just(Release()),
)


class BrokerMachine(RuleBasedStateMachine):
    """Publishes, claims, settles, loses, cancels and requeues, and knows what must come of it.

    For brokers with a storage of their own, blocking twins and all capabilities::

        class MyMachine(BrokerMachine):
            def make_broker(self, clock):
                return MyBroker("mine://localhost/test", clock=clock)

        TestMyMachine = MyMachine.TestCase

    If it fails, hypothesis prints the shortest run of steps that shows the fault.

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

    @initialize()
    def begin(self) -> None:
        """Starts the broker."""
        self.broker = self.blocking(self.make_broker(self.clock))
        storage = self.broker.storage
        assert storage is not None, "the machine needs a broker with records"
        self.storage: BaseStorage = storage
        complete(self.broker.start())
        retention = Retention(self.seconds(TTL), self.seconds(TTL))
        self.broker.retention = self.storage.retention = retention
        self.publish(number=3, fields={"queue": "a"})

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

    # What can happen

    @rule(number=st.integers(1, 3), fields=fields)
    def publish(self, number: int, fields: dict[str, Any]) -> None:
        """Somebody publishes new tasks."""
        self.tidy()
        for _ in range(number):
            id_ = f"task-{len(self.sent) + 1}"
            message = Message(id=id_, task="t", payload=b"payload", **fields)
            self.sent.append(message)
        self.send(self.sent[-number:])

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def publish_again(self, data: st.DataObject) -> None:
        """A producer did not get the reply and sends the same again."""
        self.tidy()
        self.send([data.draw(st.sampled_from(self.sent))])

    @rule(
        order=queue_orders,
        limit=st.integers(1, 4),
        lease=lengths,
        worker=workers,
        suspects=st.integers(0, 1),
    )
    def claim(
        self, order: tuple[str, ...], limit: int, lease: float, worker: str, suspects: int
    ) -> None:
        """A worker takes what is its turn."""
        self.check_claim(Claim(order, limit, lease, worker, suspects))

    @precondition(lambda self: self.deliveries)
    @rule(data=st.data(), outcome=outcomes, times=st.integers(1, 2))
    def settle(self, data: st.DataObject, outcome: Outcome, times: int) -> None:
        """A worker settles a delivery: its own, one it has lost, or one twice."""
        delivery = self.draw_delivery(data)
        if any(self.model.fading(task) for task in self.model.tasks.values()):
            self.tidy()
        counted = isinstance(outcome, Fail) or (isinstance(outcome, Retry) and outcome.counted)
        settlement = Settlement(
            delivery.id,
            delivery.token,
            self.scaled(outcome),
            attempts=delivery.attempts + counted,
            snoozes=delivery.snoozes,
            ttl=self.seconds(TTL),
            receipt=delivery.receipt,
        )
        for _ in range(times):
            refused = self.model.settle(msgspec.structs.replace(settlement, outcome=outcome))
            assert complete(self.broker.settle([settlement])) == [delivery.id] * refused

    def draw_delivery(self, data: st.DataObject) -> Delivery:
        """Picks a delivery, more often one that is still held than one that is not."""
        tasks = self.model.tasks
        held = [
            delivery
            for delivery in self.deliveries
            if (task := tasks.get(delivery.id)) is not None
            and task.lease_until is not None
            and task.token == delivery.token
        ]
        return data.draw(st.sampled_from([*self.deliveries[-4:], *held, *held]))

    @precondition(lambda self: self.deliveries)
    @rule(data=st.data(), lease=lengths)
    def extend(self, data: st.DataObject, lease: float) -> None:
        """A worker renews a lease: its own, or one it has lost."""
        delivery = self.draw_delivery(data)
        held = Held(delivery.id, delivery.token, delivery.message.queue)
        answer = complete(self.broker.extend([held], self.seconds(lease)))
        task = self.model.tasks.get(delivery.id)
        if task is not None and task.token == delivery.token:
            if task.lease_until is None:  # settled: whether that counts as lost is left open
                return
            task.lease_until = self.model.now + lease
            assert answer.lost == ()
            assert answer.cancelled == ({} if task.cancel is None else {task.id: task.cancel})
        else:
            assert answer.lost == (delivery.id,)
            assert answer.cancelled == {}

    @rule(limit=st.sampled_from([1, 2, 100]))
    def sweep(self, limit: int) -> None:
        """A keeper does its housekeeping."""
        self.check_sweep(limit)

    @rule(limit=st.integers(1, 2), worker=workers)
    def crash(self, limit: int, worker: str) -> None:
        """A worker takes something and dies of it."""
        self.check_claim(Claim(QUEUES, limit, 3.5, worker, suspects=1))
        self.expire(worker=worker)

    @rule(worker=workers)
    def expire(self, worker: str) -> None:
        """A supervisor sees a worker die."""
        held = [
            task
            for task in self.model.tasks.values()
            if task.lease_until is not None and task.worker == worker
        ]
        assert complete(self.broker.expire(worker)) == len(held)
        for task in held:
            self.model.take_back(task)

    @precondition(lambda self: self.model.tasks)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Somebody cancels a task."""
        self.tidy()
        tasks = self.model.tasks
        if not tasks:
            return
        running = sorted(task.id for task in tasks.values() if task.lease_until is not None)
        task = tasks[data.draw(st.sampled_from(sorted(tasks) + 2 * running))]
        answers = complete(self.storage.cancel([task.id], "unwanted"))
        if task.ended:
            assert answers == {task.id: "finished"}
        elif task.lease_until is not None:
            assert answers == {task.id: "requested"}
            task.cancel = "unwanted"
        else:
            assert answers == {task.id: "cancelled"}
            self.model.end(task, "cancel", "unwanted")

    @precondition(lambda self: any(task.dead for task in self.model.tasks.values()))
    @rule(data=st.data(), discard=st.booleans())
    def bury_or_revive(self, data: st.DataObject, *, discard: bool) -> None:
        """Somebody sends dead letters back, or throws them away."""
        self.tidy()
        ids = sorted(task.id for task in self.model.tasks.values() if task.dead)
        if not ids:
            return
        chosen = data.draw(st.lists(st.sampled_from(ids), min_size=1, max_size=3))
        if discard:
            gone = complete(self.storage.discard(chosen))
            assert sorted(gone) == sorted(set(chosen))
            for id_ in gone:
                self.forget(id_)
        else:
            for id_ in chosen:
                task = self.model.tasks[id_]
                if task.dead and self.model.holder(task.message.unique_key) is not None:
                    continue  # whether it returns without its key or not at all is left open
                self.final.pop(id_, None)
                assert list(complete(self.storage.requeue([id_]))) == self.model.requeue([id_])

    @rule(queue=st.sampled_from(QUEUES), pause=st.booleans())
    def pause_or_resume(self, queue: str, *, pause: bool) -> None:
        """Somebody pauses or resumes a queue."""
        if pause:
            complete(self.broker.pause(queue))
            self.model.paused.add(queue)
        else:
            complete(self.broker.resume(queue))
            self.model.paused.discard(queue)

    @rule(steps=st.integers(1, 3))
    def advance(self, steps: int) -> None:
        """Time passes."""
        self.model.now += steps
        if isinstance(self.clock, FakeClock):
            self.clock.advance(self.seconds(steps))
        else:
            self.wait(self.seconds(steps))

    def wait(self, seconds: float) -> None:
        """Lets real time pass on a server without a clock of ours."""
        complete(self.broker.ready(["nothing comes here"], seconds))

    @precondition(lambda self: len(self.sent) > SOME)
    @rule()
    def drain(self) -> None:
        """All faults stop: every task must come to its end."""
        for queue in QUEUES:
            self.pause_or_resume(queue=queue, pause=False)
        for _ in range(3):
            self.advance(steps=5)
            self.tidy()
            self.check_claim(Claim(QUEUES, 1000, 1000.5, "last", suspects=1000))
            for task in list(self.model.tasks.values()):
                if task.lease_until is not None and task.token is not None:
                    done = Settlement(task.id, task.token, Success(), ttl=self.seconds(TTL))
                    assert complete(self.broker.settle([done])) == []
                    assert not self.model.settle(done)
        assert [task.id for task in self.model.tasks.values() if not task.ended] == []

    # What must come of it

    def send(self, messages: Sequence[Message]) -> None:
        """Publishes, and checks the receipts."""
        receipts = complete(self.broker.publish([self.timed(message) for message in messages]))
        expected = [self.model.publish(message) for message in messages]
        assert [(receipt.id, receipt.created) for receipt in receipts] == expected

    def timed(self, message: Message) -> Message:
        """Returns a message with the broker's seconds."""
        expires = None if message.expires is None else self.seconds(message.expires)
        delay = self.seconds(message.delay)
        return msgspec.structs.replace(message, delay=delay, expires=expires)

    def scaled(self, outcome: Outcome) -> Outcome:
        """Returns an outcome with the broker's seconds."""
        if not isinstance(outcome, Retry):
            return outcome
        return msgspec.structs.replace(outcome, delay=self.seconds(outcome.delay))

    def check_claim(self, request: Claim) -> None:
        """Claims, and checks each delivery against what was next in turn."""
        overdue = [task for task in self.model.tasks.values() if self.model.overdue(task)]
        lease = self.seconds(request.lease)
        found = complete(self.broker.claim(msgspec.structs.replace(request, lease=lease)))
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
        assert delivery.message == self.timed(task.message)
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
                if self.check_sweep(100) == Swept():
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
