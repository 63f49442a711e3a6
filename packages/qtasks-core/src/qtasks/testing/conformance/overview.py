"""Counting and managing queues, and who works on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.schemas import Fail, Presence, QueueStats, Retry, Success
from qtasks.testing.conformance.base import FOREVER, LEASE, needs
from qtasks.testing.conformance.brokers import Brokers
from qtasks.testing.conformance.lines import BROKEN, settlement

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker

__all__ = ["Overview"]


class Overview(Brokers):
    """Rules of ``stats``, ``queues``, ``purge``, ``flush``, ``report`` and ``workers``."""

    @needs("records", "delay")
    async def test_stats_count_by_state(self, broker: BaseBroker) -> None:
        """Each task is counted once, where it stands.

        If this fails: ready + delayed + leased + finished is the number of tasks; dead letters
        are among the finished.
        """
        await broker.publish(self.messages(6))
        await broker.publish(self.messages(2, delay=self.seconds(LEASE)))
        await broker.publish([self.message(queue="other")])
        good, bad, again, _ = await self.claim(broker, 4)
        await broker.settle(
            [
                settlement(good, Success()),
                settlement(bad, Fail(BROKEN)),
                settlement(again, Retry(delay=self.seconds(LEASE)), attempts=1),
            ]
        )
        stats = await broker.stats(self.QUEUE)
        assert (stats.queue, stats.paused) == (self.QUEUE, False)
        assert (stats.ready, stats.delayed, stats.leased) == (2, 3, 1)
        assert (stats.finished, stats.dead) == (2, 1)
        await self.later(LEASE * 1.1)
        stats = await broker.stats(self.QUEUE)
        assert (stats.ready, stats.delayed, stats.leased) == (5, 0, 1)

    @needs("delay")
    async def test_stats_know_the_ages(self, broker: BaseBroker) -> None:
        """The oldest ready task, the oldest lease and the next due time are told in seconds.

        If this fails: ages count from the time a task was allowed to run and was handed out.
        """
        await broker.publish(self.messages(2))
        await self.later(LEASE)
        await self.claim(broker)
        await broker.publish(self.messages(1))
        await broker.publish([self.message(delay=self.seconds(LEASE * 3))])
        await self.later(LEASE)
        stats = await broker.stats(self.QUEUE)
        margin = self.seconds(LEASE) * 0.9
        for age, expected in (
            (stats.oldest_ready_age, LEASE * 2),
            (stats.oldest_lease_age, LEASE),
            (stats.next_due_in, LEASE * 2),
        ):
            assert age is not None
            assert abs(age - self.seconds(expected)) < margin

    async def test_stats_of_an_unknown_queue(self, broker: BaseBroker) -> None:
        """A queue that nobody published to is empty, and stays unknown.

        If this fails: asking must not create it.
        """
        assert await broker.stats("unknown") == QueueStats("unknown")
        assert await broker.queues() == []

    @needs("pause")
    async def test_stats_show_a_pause(self, broker: BaseBroker) -> None:
        """A paused queue says so.

        If this fails: read the pause with the counts.
        """
        await broker.publish(self.messages(1))
        await broker.pause(self.QUEUE)
        stats = await broker.stats(self.QUEUE)
        assert (stats.paused, stats.ready) == (True, 1)
        await broker.resume(self.QUEUE)
        assert (await broker.stats(self.QUEUE)).paused is False

    async def test_queues_are_remembered(self, broker: BaseBroker) -> None:
        """Every queue that was published to is listed, sorted, even when it is empty.

        If this fails: keep the names apart from the tasks.
        """
        await broker.publish([self.message(queue=name) for name in ("b", "c", "a", "b")])
        for delivery in [
            *await self.claim(broker, queue="a"),
            *await self.claim(broker, queue="c"),
        ]:
            await broker.settle([settlement(delivery, Success(), ttl=0.0)])
        assert await broker.queues() == ["a", "b", "c"]

    @needs("purge", "delay")
    async def test_a_purge_removes_what_waits(self, broker: BaseBroker) -> None:
        """Purging removes ready and delayed tasks of one queue and leaves running ones.

        If this fails: take them from the queue and remove their records; count them.
        """
        await broker.publish(self.messages(4))
        delayed = self.message(delay=self.seconds(LEASE))
        await broker.publish([delayed, self.message(queue="other")])
        running = await self.one(broker)
        assert await broker.purge(self.QUEUE) == 4
        assert await broker.purge(self.QUEUE) == 0
        assert await broker.purge("unknown") == 0
        await self.later(LEASE * 1.1)
        assert await self.ids(broker) == []
        assert await broker.settle([settlement(running, Success())]) == []
        assert len(await self.claim(broker, queue="other")) == 1

    @needs("purge", "records", "unique")
    async def test_a_purge_leaves_nothing_of_a_task(self, broker: BaseBroker) -> None:
        """A purged task has no record, holds no key, and its id is free.

        If this fails: remove everything that belongs to it in the same step.
        """
        storage = broker.storage
        assert storage is not None
        await broker.publish([message := self.message(unique_key="k")])
        await broker.purge(self.QUEUE)
        assert list(await storage.get([message.id])) == [None]
        assert [receipt.created for receipt in await broker.publish([message])] == [True]
        assert await self.ids(broker) == [message.id]

    @needs("pause")
    async def test_a_flush_removes_everything(self, broker: BaseBroker) -> None:
        """After a flush the broker is as new: no tasks, queues, pauses or workers.

        If this fails: a key of its namespace is left.
        """
        await broker.publish(self.messages(3))
        await self.claim(broker)
        await broker.pause(self.QUEUE)
        await broker.report(Presence("w1"), FOREVER)
        await broker.flush()
        assert await broker.queues() == []
        assert await broker.stats(self.QUEUE) == QueueStats(self.QUEUE)
        assert await broker.workers() == []
        await broker.publish([message := self.message()])
        assert await self.ids(broker) == [message.id]

    async def test_workers_are_listed_while_they_report(self, broker: BaseBroker) -> None:
        """A worker's report is shown until its time runs out or it says goodbye.

        If this fails: each report replaces the last and sets its time anew; a ttl of 0 removes.
        """
        first = Presence("w1", "host", 17, ("a", "ü"), 8, 3, 1_700_000_000.5, "1.2.3")
        second = Presence("w2")
        await broker.report(first, self.seconds(LEASE))
        await broker.report(second, self.seconds(LEASE))
        found = sorted(await broker.workers(), key=lambda presence: presence.worker)
        assert found == [first, second]
        await self.later(LEASE * 0.6)
        await broker.report(renewed := Presence("w1", running=4), self.seconds(LEASE))
        await self.later(LEASE * 0.6)
        assert await broker.workers() == [renewed]
        await broker.report(renewed, 0)
        assert await broker.workers() == []
