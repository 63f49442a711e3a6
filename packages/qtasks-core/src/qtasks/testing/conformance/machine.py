"""A state machine that drives a broker at random and compares it with a model."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from qtasks.schemas import (
    Cancel,
    Claim,
    Delivery,
    Fail,
    Held,
    Message,
    Outcome,
    Release,
    Retry,
    Settlement,
    Success,
)
from qtasks.testing.clock import FakeClock
from qtasks.testing.conformance.base import complete
from qtasks.testing.conformance.comparing import QUEUES, TTL, ComparingMachine
from qtasks.testing.conformance.lines import BROKEN

__all__ = ["BrokerMachine"]

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
    }
)
#: Unique keys, and how they are held.
uniques: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.just({}),
    st.fixed_dictionaries(
        {
            "unique_key": st.sampled_from("kl"),
            "unique_until": st.sampled_from(["added", "started", "finished"]),
            "unique_window": st.sampled_from([0.0, 2.5]),
            "unique_replaces": st.booleans(),
        }
    ).map(lambda how: how | {"unique_window": 0.0} if how["unique_until"] == "started" else how),
)
outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.just(Success(b"result")),
    st.builds(Retry, delay=delays, counted=st.booleans()),
    st.just(Fail(BROKEN, "exhausted")),
    st.just(Cancel("discarded")),
    st.just(Release()),
)


class BrokerMachine(ComparingMachine):
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

    @initialize()
    def begin(self) -> None:
        """Starts the broker and gives it something to do."""
        self.connect()
        self.publish(number=3, fields={"queue": "a"}, unique={})

    # What can happen

    @rule(number=st.integers(1, 3), fields=fields, unique=uniques)
    def publish(self, number: int, fields: dict[str, Any], unique: dict[str, Any]) -> None:
        """Somebody publishes new tasks."""
        self.tidy()
        for _ in range(number):
            id_ = f"task-{len(self.sent) + 1}"
            message = Message(id=id_, task="t", payload=b"payload", **fields, **unique)
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
        self.clear_up()
        settlement = self.make_settlement(self.draw_delivery(data), outcome)
        for _ in range(times):
            refused = self.note([settlement])
            assert complete(self.broker.settle([self.sent_as(settlement)])) == refused

    @precondition(lambda self: self.deliveries)
    @rule(
        data=st.data(),
        ends=st.lists(outcomes, max_size=3),
        order=queue_orders,
        limit=st.integers(0, 3),
        worker=workers,
    )
    def exchange(
        self,
        data: st.DataObject,
        ends: list[Outcome],
        order: tuple[str, ...],
        limit: int,
        worker: str,
    ) -> None:
        """A worker settles several deliveries, the same one twice perhaps, and takes more."""
        self.clear_up()
        batch = [self.make_settlement(self.draw_delivery(data), outcome) for outcome in ends]
        request = Claim(order, limit, 1.5, worker)
        self.check_exchange(batch, request)

    def clear_up(self) -> None:
        """Sweeps, if it is left open whether a settled task is still there."""
        if any(self.model.fading(task) for task in self.model.tasks.values()):
            self.tidy()

    def make_settlement(self, delivery: Delivery, outcome: Outcome) -> Settlement:
        """Makes what a worker says about a delivery, in the model's seconds."""
        counted = isinstance(outcome, Fail) or (isinstance(outcome, Retry) and outcome.counted)
        return Settlement(
            delivery.id,
            delivery.token,
            outcome,
            attempts=delivery.attempts + counted,
            snoozes=delivery.snoozes,
            ttl=self.seconds(TTL),
            receipt=delivery.receipt,
        )

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
                key = task.message.unique_key
                claims = task.message.unique_until == "finished"
                if task.dead and claims and self.model.holder(key) not in {None, id_}:
                    continue  # whether it returns without its key or not at all is left open
                self.final.pop(id_, None)
                assert list(complete(self.storage.requeue([id_]))) == self.model.requeue([id_])

    @precondition(lambda self: len(self.sent) > SOME)
    @rule(queue=st.sampled_from(QUEUES))
    def purge(self, queue: str) -> None:
        """Somebody empties a queue: what waits is gone, what is held or over stays."""
        self.tidy()
        tasks = [task for task in self.model.tasks.values() if task.message.queue == queue]
        waiting = [task.id for task in tasks if task.waits]
        assert complete(self.broker.purge(queue)) == len(waiting)
        for id_ in waiting:
            assert self.record(id_) is None, "a purged task has no record"
            del self.model.tasks[id_]

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
