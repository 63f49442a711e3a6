"""Workers that vanish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.schemas import MAX_LOST, Exchange, Retry, Success
from qtasks.testing.conformance.base import FOREVER, LEASE, needs
from qtasks.testing.conformance.brokers import Brokers
from qtasks.testing.conformance.lines import hold, settlement

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker

__all__ = ["Dying"]


class Dying(Brokers):
    """Rules of ``expire``, and of what losses do to neighbours."""

    @needs("records")
    async def test_a_dead_worker_gives_back_at_once(self, broker: BaseBroker) -> None:
        """``expire`` takes back all that one worker holds, and says how many that were.

        If this fails: find leases by worker; leave those of others.
        """
        await broker.publish(self.messages(5))
        dead = await self.claim(broker, 3, worker="dead")
        alive = await self.claim(broker, 2, worker="alive")
        assert await broker.expire("dead") == 3
        assert await broker.expire("dead") == 0
        assert await broker.expire("unknown") == 0
        again = await self.claim(broker, 10, suspects=10)
        assert {delivery.id for delivery in again} == {delivery.id for delivery in dead}
        assert all(delivery.lost == 1 for delivery in again)
        assert await broker.settle([settlement(delivery, Success()) for delivery in alive]) == []

    @needs("records")
    async def test_who_waits_for_its_last_chance_is_not_convicted(self, broker: BaseBroker) -> None:
        """``blame`` sets the losses that count; or does nothing, and the third loss convicts.

        If this fails: change the count of the newest delivery only, while it is held. A broker
        that keeps no such count keeps the method it inherits.
        """
        await broker.publish(self.messages(1))
        for _ in range(MAX_LOST - 1):
            stale = await self.one(broker, worker="dead")
            await broker.expire("dead")
        delivery = await self.one(broker, worker="dead", suspects=1)
        assert delivery.lost == MAX_LOST - 1
        await broker.blame(hold(stale), 0)
        await broker.blame(hold(delivery), MAX_LOST - 2)
        await broker.expire("dead")
        again = await self.claim(broker, suspects=1)
        assert [one.lost for one in again] in ([], [MAX_LOST - 1])
        for one in again:
            await broker.blame(hold(one), MAX_LOST - 2)
            await broker.blame(hold(one), MAX_LOST - 1)
            await broker.expire("w1")
        assert await self.claim(broker, suspects=1) == []

    @needs("records")
    async def test_what_a_worker_holds_is_told(self, broker: BaseBroker) -> None:
        """``holds`` lists what one worker holds, with the newest tokens; or always nothing.

        If this fails: find leases by worker; leave out those of others, and what was settled or
        given back. A broker that cannot tell keeps the method it inherits.
        """
        await broker.publish(self.messages(4))
        mine = await self.claim(broker, 3, worker="mine")
        await self.claim(broker, 1, worker="other")
        await broker.settle([settlement(mine[0], Success())])
        told = {one.id: one for one in await broker.holds("mine")}
        assert told in ({}, {delivery.id: hold(delivery) for delivery in mine[1:]})
        assert await broker.holds("unknown") == []
        await broker.expire("mine")
        assert await broker.holds("mine") == []

    @needs("records")
    async def test_an_expired_worker_is_fenced(self, broker: BaseBroker) -> None:
        """A worker that was declared dead can neither settle nor renew.

        If this fails: ``expire`` makes tokens stale as the sweep does.
        """
        await broker.publish(self.messages(1))
        delivery = await self.one(broker, worker="dead")
        await broker.expire("dead")
        assert await broker.settle([settlement(delivery, Success())]) == [delivery.id]
        assert (await broker.extend([hold(delivery)], FOREVER)).lost == (delivery.id,)

    @needs("records")
    async def test_a_third_death_convicts(self, broker: BaseBroker) -> None:
        """``expire`` counts losses as the sweep does, up to the conviction.

        If this fails: both take back in the same way.
        """
        await broker.publish(self.messages(1))
        for _ in range(MAX_LOST):
            assert len(await self.claim(broker, worker="dead")) == 1
            assert await broker.expire("dead") == 1
        assert await self.claim(broker) == []
        assert (await broker.stats(self.QUEUE)).dead == 1

    @needs("records")
    async def test_innocents_are_not_convicted(self, broker: BaseBroker) -> None:
        """Of all that died with one poisonous task, only that task ends as a dead letter.

        If this fails: suspects must come one at a time, and a finished run must clear the
        suspicion.
        """
        poison, *innocents = self.messages(6)
        await broker.publish([poison, *innocents])
        done: list[str] = []
        for round_ in range(40):
            worker = f"w{round_}"
            deliveries = await self.claim(broker, 6, worker=worker)
            if not deliveries:
                break
            if any(delivery.id == poison.id for delivery in deliveries):
                await broker.expire(worker)
                continue
            assert await broker.settle([settlement(d, Success()) for d in deliveries]) == []
            done += [delivery.id for delivery in deliveries]
        stats = await broker.stats(self.QUEUE)
        assert (stats.dead, stats.ready, stats.leased) == (1, 0, 0)
        assert sorted(done) == sorted(message.id for message in innocents)

    async def test_settling_makes_room(self, broker: BaseBroker) -> None:
        """``exchange`` settles, then claims: the answer is that of the two calls.

        If this fails: what was just given back may be claimed again in the same call.
        """
        messages = self.messages(3)
        await broker.publish(messages)
        first = await self.one(broker)
        request = self.request(1)
        done = settlement(first, Success())
        answer = await broker.exchange([done], request)
        assert answer.refused == ()
        assert [delivery.id for delivery in answer.deliveries] == [messages[1].id]
        answer = await broker.exchange([], request)
        assert [delivery.id for delivery in answer.deliveries] == [messages[2].id]
        assert await broker.exchange([], request) == Exchange()

    @needs("records")
    async def test_an_exchange_refuses_what_settle_refuses(self, broker: BaseBroker) -> None:
        """Stale outcomes are refused in an exchange, repeated ones are not.

        If this fails: both calls share one implementation of settling.
        """
        await broker.publish(self.messages(2))
        stale = await self.one(broker, worker="dead", lease=self.seconds(LEASE))
        await broker.expire("dead")
        answer = await broker.exchange([settlement(stale, Success())], self.request(0))
        assert answer == Exchange((stale.id,), ())
        delivery = await self.one(broker)
        retry = settlement(delivery, Retry(delay=self.seconds(LEASE)), attempts=1)
        first = await broker.exchange([retry], self.request(10))
        assert (first.refused, len(first.deliveries)) == ((), 1)
        again = await broker.exchange([retry], self.request(10))
        assert again == Exchange()
