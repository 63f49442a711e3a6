"""Claiming: who gets what, in which order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qtasks.schemas import Claim, Fail, Release, Retry, Success
from qtasks.testing.conformance.base import FOREVER, LEASE, needs
from qtasks.testing.conformance.brokers import Brokers
from qtasks.testing.conformance.lines import BROKEN, settlement

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker

__all__ = ["Claiming"]


class Claiming(Brokers):
    """Rules of ``claim``."""

    async def test_nothing_to_claim(self, broker: BaseBroker) -> None:
        """A claim that finds nothing returns at once, and does not make the queue known.

        If this fails: waiting is what ``ready`` is for.
        """
        assert await self.soon(self.claim(broker, 10)) == []
        assert await broker.queues() == []
        assert await self.soon(broker.claim(Claim((), 10, FOREVER, "w1"))) == []

    async def test_the_limit_holds(self, broker: BaseBroker) -> None:
        """A claim gets at most ``limit`` deliveries; the rest stays for the next.

        If this fails: fetch no more than was asked for.
        """
        await broker.publish(self.messages(5))
        assert len(await self.claim(broker, 2)) == 2
        assert await self.claim(broker, 0) == []
        assert len(await self.claim(broker, 10)) == 3

    @needs("overlap")
    async def test_two_exchanges_at_once(self, broker: BaseBroker) -> None:
        """Two exchanges that are under way at once settle what each brought, and share the rest.

        If this fails: whatever one call remembers for its end is that call's own.
        """
        await broker.publish(self.messages(10))
        first, second = await self.claim(broker, 1), await self.claim(broker, 1)
        answers = await asyncio.gather(
            *(
                broker.exchange([settlement(held, Success())], self.request(4))
                for held in (*first, *second)
            )
        )
        found = [delivery.id for answer in answers for delivery in answer.deliveries]
        assert [answer.refused for answer in answers] == [(), ()]
        assert len(found) == len({*found, first[0].id, second[0].id}) - 2 == 8
        assert await self.claim(broker, 1) == []

    async def test_first_in_first_out(self, broker: BaseBroker) -> None:
        """Within a priority tasks are handed out in the order they came.

        If this fails: order by the time a task became due, then by its place in the queue.
        """
        messages = self.messages(10)
        for message in messages:
            await broker.publish([message])
        assert await self.ids(broker) == [message.id for message in messages]

    @needs("priority")
    async def test_lower_numbers_run_earlier(self, broker: BaseBroker) -> None:
        """Priorities order as Unix nice does, from −128 to 127, and FIFO within a level.

        If this fails: sort numbers as numbers, negative ones included.
        """
        priorities = [0, 127, -128, 5, -5, 0, -128, 10, 9]
        messages = [self.message(priority=priority) for priority in priorities]
        await broker.publish(messages)
        expected = sorted(messages, key=lambda message: message.priority)
        assert await self.ids(broker) == [message.id for message in expected]

    @needs("priority")
    async def test_priority_counts_at_the_time_of_the_claim(self, broker: BaseBroker) -> None:
        """A task of a higher priority that comes later is handed out first.

        If this fails: decide while claiming, not while publishing.
        """
        low = self.messages(3, priority=10)
        await broker.publish(low)
        assert await self.ids(broker, 1) == [low[0].id]
        await broker.publish([high := self.message(priority=-10)])
        assert await self.ids(broker) == [high.id, low[1].id, low[2].id]

    async def test_queues_are_apart(self, broker: BaseBroker) -> None:
        """A claim gets nothing from queues it does not name.

        If this fails: filter by the queue's whole name.
        """
        await broker.publish([self.message(queue="a"), self.message(queue="b")])
        assert len(await self.claim(broker, 10, queue="a")) == 1
        assert await self.claim(broker, 10, queue="a") == []
        assert len(await self.claim(broker, 10, queue="b")) == 1

    async def test_queues_in_their_order(self, broker: BaseBroker) -> None:
        """Of several queues the first one is emptied first, whatever the priorities.

        If this fails: take from the queues one after the other, in the order of the request.
        """
        second = self.message(queue="second")
        first, last = self.messages(2, queue="first")
        await broker.publish([second, first, last])
        request = Claim(("first", "second", "third"), 2, FOREVER, "w1")
        assert [delivery.id for delivery in await broker.claim(request)] == [first.id, last.id]
        assert [delivery.id for delivery in await broker.claim(request)] == [second.id]

    @needs("priority")
    async def test_queues_come_before_priorities(self, broker: BaseBroker) -> None:
        """Priorities order within a queue; the order of the queues comes first.

        If this fails: do not merge the queues by priority.
        """
        urgent = self.message(queue="second", priority=-100)
        idle = self.message(queue="first", priority=100)
        await broker.publish([urgent, idle])
        request = Claim(("first", "second"), 10, FOREVER, "w1")
        assert [delivery.id for delivery in await broker.claim(request)] == [idle.id, urgent.id]

    async def test_a_claimed_task_is_not_claimed_again(self, broker: BaseBroker) -> None:
        """While a lease lasts, nobody else gets the task, the same worker included.

        If this fails: mark the task in the step that hands it out.
        """
        await broker.publish(self.messages(2))
        first = await self.claim(broker)
        second = await self.claim(broker, 10, worker="w2")
        assert len({delivery.id for delivery in (*first, *second)}) == 2
        assert await self.claim(broker, 10) == []

    @needs("delay")
    async def test_a_delay_holds_back(self, broker: BaseBroker) -> None:
        """A task with a delay is handed out when it is over, by the server's clock.

        If this fails: the delay counts from the acceptance of the message.
        """
        await self.later(LEASE)
        message = self.message(delay=self.seconds(LEASE))
        await broker.publish([message])
        assert await self.claim(broker) == []
        await self.later(LEASE / 5)
        assert await self.claim(broker) == []
        await self.later(LEASE)
        delivery = await self.one(broker)
        assert delivery.message == message
        assert delivery.due_at > delivery.enqueued_at

    @needs("delay")
    async def test_an_eta_holds_back(self, broker: BaseBroker) -> None:
        """A task with an ``eta`` is not handed out before it; of delay and eta the later counts.

        If this fails: compute the time once, while publishing: max(now + delay, eta).
        """
        eta = self.now() + self.seconds(LEASE)
        by_eta = self.message(eta=eta)
        by_delay = self.message(eta=eta, delay=self.seconds(LEASE * 3))
        past = self.message(eta=self.now() - self.seconds(LEASE))
        await broker.publish([by_eta, by_delay, past])
        assert await self.ids(broker) == [past.id]
        await self.later(LEASE * 1.2)
        assert await self.ids(broker) == [by_eta.id]
        await self.later(LEASE * 2)
        assert await self.ids(broker) == [by_delay.id]

    @needs("delay")
    async def test_delayed_tasks_line_up_when_they_are_due(self, broker: BaseBroker) -> None:
        """A task takes its place by the time it became due, not by that of its publication.

        If this fails: order by the due time first.
        """
        late = self.message(delay=self.seconds(LEASE * 4))
        early = self.message(delay=self.seconds(LEASE))
        await broker.publish([late, early])
        await self.later(LEASE * 2.5)
        await broker.publish([between := self.message()])
        await self.later(LEASE * 2)
        await broker.publish([last := self.message()])
        assert await self.ids(broker) == [early.id, between.id, late.id, last.id]

    @needs("delay", "priority")
    async def test_delayed_tasks_do_not_block(self, broker: BaseBroker) -> None:
        """Many delayed tasks of a high priority do not keep others from running.

        If this fails: skip what is not due.
        """
        await broker.publish(self.messages(50, priority=-10, delay=self.seconds(FOREVER)))
        await broker.publish([message := self.message(priority=10)])
        assert await self.ids(broker) == [message.id]

    @needs("pause")
    async def test_a_paused_queue_gives_nothing(self, broker: BaseBroker) -> None:
        """Pausing stops claims from one queue, and resuming allows them again.

        If this fails: look at the pause while claiming; publishing goes on.
        """
        await broker.publish([self.message(), self.message(queue="other")])
        await broker.pause(self.QUEUE)
        await broker.pause(self.QUEUE)
        await broker.publish([self.message()])
        request = Claim((self.QUEUE, "other"), 10, FOREVER, "w1")
        assert [delivery.message.queue for delivery in await broker.claim(request)] == ["other"]
        await broker.resume(self.QUEUE)
        await broker.resume(self.QUEUE)
        assert len(await self.claim(broker, 10)) == 2

    @needs("records", "pause")
    async def test_a_pause_lets_running_tasks_settle(self, broker: BaseBroker) -> None:
        """What was handed out before the pause may be settled, retried and renewed.

        If this fails: only ``claim`` looks at the pause.
        """
        await broker.publish([self.message()])
        delivery = await self.one(broker)
        await broker.pause(self.QUEUE)
        assert await broker.settle([settlement(delivery, Retry(), attempts=1)]) == []
        assert await self.claim(broker) == []
        await broker.resume(self.QUEUE)
        assert len(await self.claim(broker)) == 1

    @needs("records")
    async def test_an_expired_task_is_not_started(self, broker: BaseBroker) -> None:
        """A task past its ``expires`` is never handed out, swept or not.

        If this fails: look at the time to start while claiming too.
        """
        message = self.message(expires=self.seconds(LEASE))
        await broker.publish([message, other := self.message(expires=FOREVER)])
        await self.later(LEASE * 1.1)
        assert await self.ids(broker) == [other.id]
        assert await self.ids(broker) == []

    @needs("records")
    async def test_a_delivery_says_by_when_it_must_start(self, broker: BaseBroker) -> None:
        """``expires_at`` is the time after which a worker must not start it, by the broker's clock.

        If this fails: a worker that holds it ready has nothing else to go by; a letter that was
        sent back has no such time any more.
        """
        await broker.publish([self.message(expires=self.seconds(LEASE)), self.message()])
        first, second = await self.claim(broker, 2)
        assert first.expires_at is not None
        assert abs(first.expires_at - first.enqueued_at - self.seconds(LEASE)) < 0.001
        assert second.expires_at is None
        await broker.settle([settlement(first, Fail(BROKEN)), settlement(second, Success())])
        assert broker.storage is not None
        await broker.storage.requeue([first.id])
        (again,) = await self.claim(broker)
        assert again.expires_at is None

    @needs("records")
    async def test_an_expired_task_is_reported(self, broker: BaseBroker) -> None:
        """The next sweep names an expired task, even if a claim came across it first.

        If this fails: the engine tells of cancelled tasks from what the sweep answers.
        """
        await broker.publish([message := self.message(expires=self.seconds(LEASE))])
        await self.later(LEASE * 1.1)
        assert await self.ids(broker) == []
        assert (await broker.sweep()).expired == (message.id,)
        assert (await broker.sweep()).expired == ()

    @needs("records")
    async def test_what_was_given_back_comes_first(self, broker: BaseBroker) -> None:
        """A released delivery is handed out before the others of its priority.

        If this fails: a release goes to the front of its level.
        """
        messages = self.messages(4)
        await broker.publish(messages)
        first, second = await self.claim(broker, 2)
        await self.later(LEASE)
        await broker.settle([settlement(first, Release()), settlement(second, Release())])
        ids = await self.ids(broker)
        assert sorted(ids[:2]) == sorted([first.id, second.id])
        assert ids[2:] == [messages[2].id, messages[3].id]

    @needs("records", "priority")
    async def test_what_was_given_back_keeps_its_priority(self, broker: BaseBroker) -> None:
        """A released delivery does not overtake a higher priority.

        If this fails: the front is that of its own level.
        """
        await broker.publish([low := self.message(priority=5)])
        delivery = await self.one(broker)
        await broker.settle([settlement(delivery, Release())])
        await broker.publish([high := self.message(priority=-5), self.message(priority=5)])
        assert (await self.ids(broker))[:2] == [high.id, low.id]

    @needs("records")
    async def test_what_was_taken_back_comes_first(self, broker: BaseBroker) -> None:
        """A delivery that was lost is handed out before the others of its priority.

        If this fails: its user has waited longest.
        """
        messages = self.messages(3)
        await broker.publish(messages)
        await self.claim(broker, lease=self.seconds(LEASE))
        await self.later(LEASE * 1.1)
        await broker.sweep()
        assert await self.ids(broker) == [message.id for message in messages]

    @needs("records")
    async def test_suspects_are_rationed(self, broker: BaseBroker) -> None:
        """A claim gets at most ``suspects`` tasks that were lost before; the others stay.

        If this fails: a task that kills its worker would take the same neighbours along every
        time, and they would be convicted with it. Skip suspects beyond the ration, and go on.
        """
        lost = self.messages(3)
        await broker.publish(lost)
        await self.claim(broker, 3, lease=self.seconds(LEASE))
        await self.later(LEASE * 1.1)
        await broker.sweep()
        innocent = self.messages(2)
        await broker.publish(innocent)
        deliveries = await self.claim(broker, 10, suspects=1)
        assert sorted(delivery.lost for delivery in deliveries) == [0, 0, 1]
        assert await self.claim(broker, 10, suspects=0) == []
        assert [d.lost for d in await self.claim(broker, 10, suspects=1)] == [1]
        assert [d.lost for d in await self.claim(broker, 10, suspects=1)] == [1]
        assert await self.claim(broker, 10, suspects=1) == []

    @needs("records")
    async def test_the_ration_counts_over_all_queues(self, broker: BaseBroker) -> None:
        """The ration of suspects is for the whole claim, not for each queue.

        If this fails: subtract what the queues before have given.
        """
        await broker.publish([self.message(queue="a"), self.message(queue="b")])
        request = Claim(("a", "b"), 2, self.seconds(LEASE), "w1")
        assert len(await broker.claim(request)) == 2
        await self.later(LEASE * 1.1)
        await broker.sweep()
        assert len(await broker.claim(request)) == 1

    @needs("records")
    async def test_a_released_suspect_is_still_one(self, broker: BaseBroker) -> None:
        """Giving a suspect back unrun does not clear it.

        If this fails: a release leaves ``lost`` alone, and rationing looks at ``lost``.
        """
        await broker.publish(self.messages(1))
        await self.claim(broker, lease=self.seconds(LEASE))
        await self.later(LEASE * 1.1)
        await broker.sweep()
        delivery = await self.one(broker)
        await broker.settle([settlement(delivery, Release())])
        assert await self.claim(broker, suspects=0) == []
        assert len(await self.claim(broker, suspects=1)) == 1
