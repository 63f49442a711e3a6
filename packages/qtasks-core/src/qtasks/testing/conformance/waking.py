"""Waiting for work."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qtasks.schemas import Release, Retry
from qtasks.testing.conformance.base import FOREVER, LEASE, complete, in_thread, needs
from qtasks.testing.conformance.brokers import Brokers
from qtasks.testing.conformance.lines import settlement

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker

__all__ = ["Waking"]


class Waking(Brokers):
    """Rules of ``ready``."""

    async def waits(self, broker: BaseBroker) -> asyncio.Future[bool]:
        """Lets a worker wait for work."""
        return await self.begun(broker.ready([self.QUEUE, "other"], FOREVER))

    async def test_work_is_seen_at_once(self, broker: BaseBroker) -> None:
        """If there is something to claim, ``ready`` does not wait.

        If this fails: look before you wait.
        """
        await broker.publish(self.messages(1))
        assert await self.soon(broker.ready([self.QUEUE], FOREVER)) is True
        assert await self.soon(broker.ready(["other", self.QUEUE], 0)) is True

    async def test_an_idle_worker_gives_up(self, broker: BaseBroker) -> None:
        """Without work ``ready`` returns False after ``timeout`` seconds, at once for 0.

        If this fails: limit the wait.
        """
        assert await self.soon(broker.ready([self.QUEUE], 0)) is False
        assert await self.eventually(broker.ready([self.QUEUE], self.seconds(LEASE))) is False

    async def test_publishing_wakes(self, broker: BaseBroker) -> None:
        """A waiting worker is woken by a message in any of its queues.

        If this fails: sign up before you look, or a message in between is missed.
        """
        for queue in (self.QUEUE, "other"):
            waiting = await self.waits(broker)
            await broker.publish([self.message(queue=queue)])
            assert await self.soon(waiting) is True
            assert len(await self.claim(broker, queue=queue)) == 1

    async def test_all_workers_may_wait(self, broker: BaseBroker) -> None:
        """Several workers may wait at the same time, and work reaches at least one at once.

        If this fails: a wake-up must not be swallowed by a worker that does not claim; the
        others may sleep on only if one was told.
        """
        crowd = [await self.waits(broker) for _ in range(5)]
        await broker.publish(self.messages(5))
        done, _ = await asyncio.wait(
            crowd, timeout=self.PATIENCE, return_when=asyncio.FIRST_COMPLETED
        )
        assert done
        for waiting in crowd:
            waiting.cancel()
        await asyncio.wait(crowd, timeout=self.PATIENCE)

    @needs("delay")
    async def test_a_due_time_wakes(self, broker: BaseBroker) -> None:
        """A worker that waits is woken when a delayed task becomes due.

        If this fails: wait no longer than until the next due time, and compute it anew when a
        message arrives.
        """
        waiting = await self.waits(broker)
        await broker.publish([self.message(delay=self.seconds(LEASE))])
        waiting = await self.begun(waiting)
        assert await self.eventually(waiting) is True
        assert len(await self.claim(broker)) == 1

    @needs("delay")
    async def test_a_due_time_is_known_beforehand(self, broker: BaseBroker) -> None:
        """A worker that begins to wait while a task is delayed is woken when it is due.

        If this fails: ask for the next due time when the wait begins.
        """
        await broker.publish([self.message(delay=self.seconds(LEASE))])
        assert await self.eventually(await self.waits(broker)) is True
        assert len(await self.claim(broker)) == 1

    @needs("records")
    async def test_a_release_wakes(self, broker: BaseBroker) -> None:
        """What a worker gives back wakes another.

        If this fails: a release is as good as a message.
        """
        await broker.publish(self.messages(1))
        delivery = await self.one(broker)
        waiting = await self.waits(broker)
        await broker.settle([settlement(delivery, Release())])
        assert await self.soon(waiting) is True

    @needs("records")
    async def test_a_retry_wakes(self, broker: BaseBroker) -> None:
        """A retry without a delay wakes a waiting worker, one with a delay when it is due.

        If this fails: a retry is as good as a message.
        """
        await broker.publish(self.messages(1))
        delivery = await self.one(broker)
        waiting = await self.waits(broker)
        await broker.settle([settlement(delivery, Retry(), attempts=1)])
        assert await self.soon(waiting) is True

    @needs("records")
    async def test_a_take_back_wakes(self, broker: BaseBroker) -> None:
        """What a dead worker held wakes another.

        If this fails: taking back puts a task into the queue, so it wakes as publishing does.
        """
        await broker.publish(self.messages(2))
        await self.claim(broker, worker="dead")
        await self.claim(broker, lease=self.seconds(LEASE))
        waiting = await self.waits(broker)
        await broker.expire("dead")
        assert await self.soon(waiting) is True
        await self.claim(broker)
        waiting = await self.waits(broker)
        await self.later(LEASE * 1.1)
        await broker.sweep()
        assert await self.soon(waiting) is True

    @needs("records")
    async def test_a_returning_letter_wakes(self, broker: BaseBroker) -> None:
        """A dead letter that is sent back wakes a waiting worker.

        If this fails: requeueing puts a task into the queue, so it wakes as publishing does.
        """
        storage = broker.storage
        assert storage is not None
        await broker.publish([message := self.message()])
        for _ in range(3):
            await self.claim(broker, worker="dead")
            await broker.expire("dead")
        waiting = await self.waits(broker)
        await storage.requeue([message.id])
        assert await self.soon(waiting) is True

    @needs("pause")
    async def test_a_resumed_queue_wakes(self, broker: BaseBroker) -> None:
        """Resuming a queue with tasks wakes who waits for it.

        If this fails: tasks that came during the pause told nobody.
        """
        await broker.pause(self.QUEUE)
        await broker.publish(self.messages(1))
        waiting = await self.waits(broker)
        await broker.resume(self.QUEUE)
        assert await self.soon(waiting) is True
        assert len(await self.claim(broker)) == 1

    async def test_an_idle_worker_may_be_cancelled(self, broker: BaseBroker) -> None:
        """A cancelled wait takes nothing with it, neither messages nor the wake-ups of others.

        If this fails: ``ready`` must not fetch anything, and must sign off in ``finally``.
        """
        for _ in range(3):
            waiting = await self.waits(broker)
            waiting.cancel()
            await asyncio.wait({waiting}, timeout=self.PATIENCE)
            assert waiting.cancelled()
        patient = await self.waits(broker)
        await broker.publish([message := self.message()])
        assert await self.soon(patient) is True
        assert await self.ids(broker) == [message.id]

    @needs("blocking")
    async def test_a_thread_wakes_a_loop(self, broker: BaseBroker) -> None:
        """A message that a twin publishes in a thread wakes a worker that waits in a loop.

        If this fails: wake loops with ``call_soon_threadsafe``.
        """
        twin = broker.client()
        assert twin is not None
        waiting = await self.waits(broker)

        def publish() -> None:
            complete(twin.start())
            complete(twin.publish(self.messages(1)))
            complete(twin.stop())

        await self.soon(in_thread(publish))
        assert await self.soon(waiting) is True

    @needs("blocking")
    async def test_a_loop_wakes_a_thread(self, broker: BaseBroker) -> None:
        """A twin that waits for work in a thread is woken by a message from a loop.

        If this fails: block on something that other clients can signal.
        """
        twin = broker.client()
        assert twin is not None
        complete(twin.start())
        idle = in_thread(lambda: complete(twin.ready([self.QUEUE], 0.01)))
        assert await self.soon(idle) is False
        waiting = in_thread(lambda: complete(twin.ready([self.QUEUE], 10 * self.PATIENCE)))
        await asyncio.wait({waiting}, timeout=0.02)
        await broker.publish(self.messages(1))
        assert await self.soon(waiting) is True
        assert complete(twin.ready([self.QUEUE], 0.0)) is True
        complete(twin.stop())
