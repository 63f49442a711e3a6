"""A storage beside a broker elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.schemas import (
    MAX_LOST,
    Begun,
    Delivery,
    Fail,
    Message,
    QueueStats,
    Receipt,
    Release,
    Retry,
    Success,
    TaskStatusEnum,
)
from qtasks.testing.conformance.base import FOREVER, LEASE, Conformance
from qtasks.testing.conformance.lines import BROKEN, settlement

if TYPE_CHECKING:
    from qtasks.contracts.storage import BaseStorage

__all__ = ["Split"]


class Split(Conformance):
    """Rules of ``put``, ``begin``, ``due`` and ``dispatched``."""

    async def begin(
        self, storage: BaseStorage, *messages: Message, worker: str = "w1", lease: float = FOREVER
    ) -> Begun:
        """Begins deliveries of these messages, as if a broker elsewhere had made them."""
        deliveries = [Delivery(message, token=0, receipt=message.id) for message in messages]
        return await storage.begin(deliveries, worker, lease)

    async def started(self, storage: BaseStorage, message: Message, **options: Any) -> Delivery:
        """Begins one delivery, which must be allowed to run."""
        begun = await self.begin(storage, message, **options)
        assert (begun.skip, begun.busy) == ((), ())
        return begun.deliveries[0]

    async def due(self, storage: BaseStorage, lease: float = FOREVER) -> list[str]:
        """Returns the ids that are due for publishing."""
        return [message.id for message in await storage.due(100, lease)]

    async def test_put_may_be_repeated(self, storage: BaseStorage) -> None:
        """A record is written once; the receipts say so, in order.

        If this fails: the engine repeats ``put`` after a lost reply; known ids change nothing.
        """
        first, second = self.messages(2)
        assert list(await storage.put([first])) == [Receipt(first.id, created=True)]
        again = self.message(id=first.id, payload=b"other")
        receipts = await storage.put([second, again])
        assert list(receipts) == [
            Receipt(second.id, created=True),
            Receipt(first.id, created=False),
        ]
        records = await storage.get([first.id])
        assert records[0] is not None
        assert (records[0].payload, records[0].status) == (b"payload", TaskStatusEnum.NEW)
        assert list(await storage.put([])) == []

    async def test_the_broker_elsewhere_has_what_is_not_scheduled(
        self, storage: BaseStorage
    ) -> None:
        """Only what was put with ``scheduled=True`` is given for publishing.

        If this fails: everything would be published twice.
        """
        await storage.put([self.message()])
        await storage.put([scheduled := self.message()], scheduled=True)
        assert await self.due(storage) == [scheduled.id]

    async def test_the_schedule_waits(self, storage: BaseStorage) -> None:
        """A scheduled task is given when its ``delay`` and ``eta`` have passed, not before.

        If this fails: compare with the server's clock.
        """
        eta = self.now() + self.seconds(LEASE * 2)
        early = self.message(delay=self.seconds(LEASE))
        late = self.message(eta=eta)
        await storage.put([early, late], scheduled=True)
        assert await self.due(storage) == []
        await self.later(LEASE * 1.2)
        assert await self.due(storage) == [early.id]
        await self.later(LEASE)
        assert await self.due(storage) == [late.id]

    async def test_a_due_message_is_ready_to_publish(self, storage: BaseStorage) -> None:
        """What ``due`` gives is the message with the time of waiting taken out.

        If this fails: a broker that holds delays itself would hold it a second time; set
        ``delay`` to 0 and ``eta`` to None, and leave the rest.
        """
        message = self.message(
            delay=self.seconds(LEASE), eta=self.now(), headers={"a": "1"}, priority=3
        )
        await storage.put([message], scheduled=True)
        await self.later(LEASE * 1.1)
        (given,) = await storage.due(10, FOREVER)
        assert (given.delay, given.eta) == (0.0, None)
        assert (given.id, given.payload, given.headers) == (message.id, b"payload", {"a": "1"})
        assert (given.priority, given.queue, given.task) == (3, message.queue, message.task)

    async def test_due_tasks_are_taken(self, storage: BaseStorage) -> None:
        """A due task is given to one keeper; if it does not report back, it is given again.

        If this fails: ``due`` hides what it gives for ``lease`` seconds.
        """
        await storage.put([message := self.message()], scheduled=True)
        assert await self.due(storage, self.seconds(LEASE)) == [message.id]
        assert await self.due(storage, self.seconds(LEASE)) == []
        await self.later(LEASE * 1.1)
        assert await self.due(storage, self.seconds(LEASE)) == [message.id]

    async def test_dispatched_tasks_are_not_due(self, storage: BaseStorage) -> None:
        """What was reported as published is not given again, and the report may be repeated.

        If this fails: take it from the schedule; unknown ids are ignored.
        """
        await storage.put([message := self.message()], scheduled=True)
        await self.due(storage, self.seconds(LEASE))
        await storage.dispatched([message.id, "00000000-0000-4000-8000-999999999999"])
        await storage.dispatched([message.id])
        await self.later(LEASE * 2)
        assert await self.due(storage) == []
        assert (await self.started(storage, message)).id == message.id

    async def test_due_is_bounded(self, storage: BaseStorage) -> None:
        """At most ``limit`` tasks are given at a time, the earliest first.

        If this fails: order by the time they are due.
        """
        messages = self.messages(5)
        await storage.put(messages, scheduled=True)
        given = [message.id for message in await storage.due(2, FOREVER)]
        assert given == [message.id for message in messages[:2]]
        assert len(await storage.due(2, FOREVER)) == 2
        assert len(await storage.due(2, FOREVER)) == 1

    async def test_a_late_report_leaves_the_next_run_alone(self, storage: BaseStorage) -> None:
        """A report about a publication does not touch a retry that was scheduled since.

        If this fails: the task is lost. A worker may be faster than the keeper that published;
        only what is still given out is taken from the schedule.
        """
        await storage.put([message := self.message()], scheduled=True)
        await self.due(storage)
        delivery = await self.started(storage, message)
        assert await storage.finish([settlement(delivery, Retry(), attempts=1)]) == []
        await storage.dispatched([message.id])
        assert await self.due(storage) == [message.id]

    async def test_begin_fills_in(self, storage: BaseStorage) -> None:
        """A begun delivery has the storage's token, counts and history, and the broker's receipt.

        If this fails: take everything but the receipt from the record.
        """
        await storage.put([message := self.message(headers={"a": "1"})])
        first = await self.started(storage, message)
        assert (first.deliveries, first.attempts, first.lost) == (1, 0, 0)
        assert first.receipt == message.id
        ended = settlement(first, Retry(), attempts=1, snoozes=2, history=b"h", headers={"b": "2"})
        assert list(await storage.finish([ended])) == []
        second = await self.started(storage, message, worker="w2")
        assert second.token > first.token
        assert (second.deliveries, second.attempts, second.snoozes) == (2, 1, 2)
        assert (second.history, second.message.headers) == (b"h", {"b": "2"})
        assert second.message.payload == b"payload"

    async def test_begin_makes_missing_records(self, storage: BaseStorage) -> None:
        """A delivery whose task has no record gets one, and runs.

        If this fails: the record may have been removed, or the message came from elsewhere;
        the message itself has all that a record needs.
        """
        message = self.message(headers={"a": "1"})
        delivery = await self.started(storage, message)
        (record,) = await storage.get([message.id])
        assert record is not None
        assert (record.status, record.headers) == (TaskStatusEnum.PROCESS, {"a": "1"})
        assert await storage.finish([settlement(delivery, Success())]) == []

    async def test_begin_skips_what_has_ended(self, storage: BaseStorage) -> None:
        """Finished, cancelled and expired tasks are not run again.

        If this fails: look at status and ``expires`` before taking the lease.
        """
        done, cancelled = self.messages(2)
        expired = self.message(expires=self.seconds(LEASE))
        await storage.put([done, cancelled, expired])
        delivery = await self.started(storage, done)
        await storage.finish([settlement(delivery, Success())])
        await storage.cancel([cancelled.id], "x")
        await self.later(LEASE * 1.1)
        begun = await self.begin(storage, done, cancelled, expired)
        assert begun == Begun(skip=(done.id, cancelled.id, expired.id))
        (record,) = await storage.get([expired.id])
        assert record is not None
        await storage.sweep()
        (record,) = await storage.get([expired.id])
        assert record is not None
        assert (record.status, record.reason) == (TaskStatusEnum.CANCEL, "expired")

    async def test_begin_leaves_what_others_hold(self, storage: BaseStorage) -> None:
        """A second copy of a message does not run while another worker holds the task.

        If this fails: a live lease answers ``busy``, and the holder keeps it.
        """
        await storage.put([message := self.message()])
        delivery = await self.started(storage, message)
        assert await self.begin(storage, message, worker="w2") == Begun(busy=(message.id,))
        assert await storage.finish([settlement(delivery, Success())]) == []

    async def test_begin_leaves_what_the_asking_worker_holds(self, storage: BaseStorage) -> None:
        """A second copy of a message does not run beside the first in the same worker either.

        If this fails: a repeated publish leaves two copies at the broker, which may arrive
        together. Any live lease answers ``busy``, and a call sees what it has just begun.
        """
        await storage.put([message := self.message()])
        begun = await self.begin(storage, message, message)
        assert (len(begun.deliveries), begun.skip, begun.busy) == (1, (), (message.id,))
        assert await self.begin(storage, message) == Begun(busy=(message.id,))
        done = settlement(begun.deliveries[0], Success())
        assert list(await storage.finish([done])) == []
        assert await self.begin(storage, message) == Begun(skip=(message.id,))

    async def test_begin_counts_a_loss(self, storage: BaseStorage) -> None:
        """A lease that ran out before the message came again counts as lost; the third convicts.

        If this fails: ``begin`` takes back as ``sweep`` does.
        """
        await storage.put([message := self.message()])
        for lost in range(MAX_LOST):
            delivery = await self.started(storage, message, lease=self.seconds(LEASE))
            assert delivery.lost == lost
            await self.later(LEASE * 1.1)
        assert await self.begin(storage, message) == Begun(skip=(message.id,))
        (record,) = await storage.get([message.id])
        assert record is not None
        assert (record.dead, record.reason) == (True, "worker_lost")

    async def test_begin_leaves_the_next_run_to_the_schedule(self, storage: BaseStorage) -> None:
        """A copy of the message that comes while a retry waits for its time is skipped.

        If this fails: the retry would run too early, and again when it is due.
        """
        await storage.put([message := self.message()])
        delivery = await self.started(storage, message)
        delay = self.seconds(LEASE)
        await storage.finish([settlement(delivery, Retry(delay=delay), attempts=1)])
        assert await self.begin(storage, message) == Begun(skip=(message.id,))
        await self.later(LEASE * 1.1)
        assert await self.due(storage) == [message.id]
        assert (await self.started(storage, message)).attempts == 1

    async def test_what_is_begun_is_not_due(self, storage: BaseStorage) -> None:
        """A task that runs is off the schedule, however it came to run.

        If this fails: taking the lease takes the task from the schedule.
        """
        await storage.put([message := self.message()], scheduled=True)
        await self.due(storage, self.seconds(LEASE))
        await self.started(storage, message)
        await self.later(LEASE * 1.1)
        assert await self.due(storage) == []

    async def test_what_comes_back_is_scheduled(self, storage: BaseStorage) -> None:
        """Retried, released and taken-back tasks are due for publishing again.

        If this fails: the broker elsewhere has acknowledged or lost its copy; only the schedule
        brings the task back.
        """
        retried, released, lost = self.messages(3)
        await storage.put([retried, released, lost])
        one = await self.started(storage, retried)
        two = await self.started(storage, released)
        await self.started(storage, lost, lease=self.seconds(LEASE))
        retry = settlement(one, Retry(delay=self.seconds(LEASE / 2)), attempts=1)
        assert await storage.finish([retry, settlement(two, Release())]) == []
        assert await self.due(storage) == [released.id]
        await self.later(LEASE * 1.1)
        assert await self.due(storage) == [retried.id]
        assert (await storage.sweep()).taken_back == (lost.id,)
        assert await self.due(storage) == [lost.id]
        assert (await self.started(storage, lost)).lost == 1

    async def test_a_dead_worker_gives_back_what_it_began(self, storage: BaseStorage) -> None:
        """``expire`` takes back what one worker began; it is lost, fenced and due.

        If this fails: find leases by worker, take them back as ``sweep`` does, and count them.
        """
        mine, yours = self.messages(2)
        await storage.put([mine, yours])
        dead = await self.started(storage, mine, worker="dead")
        alive = await self.started(storage, yours, worker="alive")
        assert await storage.expire("dead") == 1
        assert await storage.expire("dead") == 0
        assert list(await storage.finish([settlement(dead, Success())])) == [mine.id]
        assert list(await storage.finish([settlement(alive, Success())])) == []
        assert await self.due(storage) == [mine.id]
        assert (await self.started(storage, mine)).lost == 1

    async def test_stats_count_what_is_here(self, storage: BaseStorage) -> None:
        """Scheduled, leased and kept tasks of a queue are counted, and those at the broker not.

        If this fails: what waits at the broker elsewhere would be counted twice. A scheduled
        task whose time has come is ready, or delayed until it is published.
        """
        assert await storage.stats(self.QUEUE) == QueueStats(self.QUEUE)
        good, bad, leased, elsewhere = self.messages(4)
        await storage.put([good, bad, leased, elsewhere, self.message(queue="other")])
        later = self.message(delay=self.seconds(LEASE))
        await storage.put([later, self.message()], scheduled=True)
        one, two = [await self.started(storage, message) for message in (good, bad)]
        await self.started(storage, leased)
        await storage.finish([settlement(one, Success()), settlement(two, Fail(BROKEN))])
        stats = await storage.stats(self.QUEUE)
        assert (stats.queue, stats.ready + stats.delayed, stats.leased) == (self.QUEUE, 2, 1)
        assert stats.delayed >= 1
        assert (stats.finished, stats.dead) == (2, 1)
        assert (await storage.stats("other")).ready == 0

    async def test_letters_are_scheduled(self, storage: BaseStorage) -> None:
        """A dead letter that is sent back is due for publishing.

        If this fails: requeueing puts it on the schedule.
        """
        await storage.put([message := self.message()])
        for _ in range(MAX_LOST):
            await self.started(storage, message, lease=self.seconds(LEASE))
            await self.later(LEASE * 1.1)
        await self.begin(storage, message)
        assert await self.due(storage) == []
        assert list(await storage.requeue([message.id])) == [message.id]
        assert await self.due(storage) == [message.id]

    async def test_cancelled_tasks_are_not_due(self, storage: BaseStorage) -> None:
        """A scheduled task that was cancelled is not published.

        If this fails: take it from the schedule.
        """
        await storage.put([message := self.message()], scheduled=True)
        assert await storage.cancel([message.id], "x") == {message.id: "cancelled"}
        assert await self.due(storage) == []
