"""Many producers, many consumers, and twins in threads."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from qtasks.schemas import Claim, Fail, Held, Presence, RecordQuery, Retry, Success
from qtasks.testing.conformance.base import FOREVER, complete, in_thread, needs
from qtasks.testing.conformance.brokers import Brokers
from qtasks.testing.conformance.lines import BROKEN, hold, settlement

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker

__all__ = ["Crowds"]


#: How often a thread looks for work before it gives up.
ROUNDS = 1000


class Crowds(Brokers):
    """What must hold when everybody does everything at once."""

    async def test_nothing_is_lost_or_doubled(self, broker: BaseBroker) -> None:
        """All that several producers publish reaches exactly one of several consumers.

        If this fails: two claims saw the same task, or a claim and its mark are two steps.
        """
        batches = [self.messages(25) for _ in range(4)]
        sent = [message.id for batch in batches for message in batch]
        got: list[str] = []

        async def produce(number: int) -> None:
            for message in batches[number]:
                await broker.publish([message])

        async def consume(worker: str) -> None:
            request = Claim((self.QUEUE,), 7, FOREVER, worker)
            while len(got) < len(sent):
                deliveries = await broker.claim(request)
                got.extend(delivery.id for delivery in deliveries)
                outcomes = [settlement(delivery, Success()) for delivery in deliveries]
                assert await broker.settle(outcomes) == []
                await asyncio.sleep(0)

        crowd = [produce(number) for number in range(4)]
        crowd += [consume(f"w{number}") for number in range(3)]
        await self.soon(asyncio.gather(*crowd))
        assert Counter(got) == Counter(sent)
        assert await self.claim(broker, 100) == []

    @needs("blocking")
    async def test_threads_lose_nothing_either(self, broker: BaseBroker) -> None:
        """The same holds for threads that share twins.

        If this fails: a twin may be used from any thread at any time.
        """
        batches = [self.messages(25) for _ in range(3)]
        sent = [message.id for batch in batches for message in batch]
        twins = [broker.client(), broker.client()]
        got: list[str] = []

        def produce(number: int) -> None:
            twin = twins[0]
            assert twin is not None
            for message in batches[number]:
                complete(twin.publish([message]))

        def consume(worker: str) -> None:
            twin = twins[1]
            assert twin is not None
            request = Claim((self.QUEUE,), 7, FOREVER, worker)
            for _ in range(ROUNDS):  # a thread cannot be cancelled if something was lost
                if len(got) >= len(sent):
                    return
                if not (deliveries := complete(twin.claim(request))):
                    complete(twin.ready([self.QUEUE], 0.01))
                got.extend(delivery.id for delivery in deliveries)
                outcomes = [settlement(delivery, Success()) for delivery in deliveries]
                assert complete(twin.settle(outcomes)) == []

        for twin in twins:
            assert twin is not None
            complete(twin.start())
        crowd = [in_thread(partial(produce, number)) for number in range(3)]
        crowd += [in_thread(partial(consume, f"w{number}")) for number in range(3)]
        await self.soon(asyncio.gather(*crowd))
        assert Counter(got) == Counter(sent)
        for twin in twins:
            assert twin is not None
            complete(twin.stop())

    @needs("records", "blocking")
    async def test_letters_move_once_among_many(self, broker: BaseBroker) -> None:
        """Of many threads that send back the same dead letters at once, one moves each.

        If this fails: looking at the dead mark and taking it away are two steps.
        """
        await broker.publish(self.messages(10))
        deliveries = await self.claim(broker, 10)
        await broker.settle([settlement(delivery, Fail(BROKEN)) for delivery in deliveries])
        ids = [delivery.id for delivery in deliveries]
        twins = [broker.client() for _ in range(4)]
        together = threading.Barrier(len(twins))

        def requeue(twin: BaseBroker | None) -> list[str]:
            assert twin is not None
            assert twin.storage is not None
            complete(twin.start())
            together.wait(self.PATIENCE)
            moved = list(complete(twin.storage.requeue(ids)))
            complete(twin.stop())
            return moved

        answers = await self.soon(
            asyncio.gather(*(in_thread(partial(requeue, twin)) for twin in twins))
        )
        assert Counter(id_ for moved in answers for id_ in moved) == Counter(ids)
        assert len(await self.claim(broker, 100)) == len(ids)

    @needs("records", "unique")
    async def test_one_holder_among_many(self, broker: BaseBroker) -> None:
        """Of many who publish the same key at once, exactly one creates a task.

        If this fails: checking the key and writing the task are two steps.
        """
        messages = self.messages(20, unique_key="k")
        calls = [broker.publish([message]) for message in messages]
        answers = await self.soon(asyncio.gather(*calls))
        receipts = [receipt for answer in answers for receipt in answer]
        assert sum(receipt.created for receipt in receipts) == 1
        assert len({receipt.id for receipt in receipts}) == 1
        assert len(await self.claim(broker, 100)) == 1

    @needs("records")
    async def test_one_settlement_wins(self, broker: BaseBroker) -> None:
        """Of many outcomes for one delivery, one is written and the others change nothing.

        If this fails: checking the token and writing the outcome are two steps.
        """
        storage = broker.storage
        assert storage is not None
        await broker.publish([message := self.message()])
        delivery = await self.one(broker)
        crowd = [
            asyncio.ensure_future(broker.settle([settlement(delivery, Success(b"%d" % n))]))
            for n in range(10)
        ]
        await asyncio.wait(crowd, timeout=self.PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        first = await storage.get([message.id])
        refused = await self.soon(asyncio.gather(*crowd))
        assert refused == [[]] * 10
        assert await storage.get([message.id]) == first
        assert first[0] is not None
        assert first[0].finished_at is not None
        assert (await broker.stats(self.QUEUE)).finished == 1

    @needs("blocking")
    async def test_a_twin_never_suspends(self, broker: BaseBroker) -> None:
        """Every method of a twin completes in one step, without a loop, in any thread.

        If this fails: the named method awaited something that was not ready.
        """
        twin = broker.client()
        assert twin is not None
        message, other = self.messages(2)

        def everything() -> None:
            complete(twin.start())
            complete(twin.publish([message, other]))
            assert complete(twin.ready([self.QUEUE], 1.0)) is True
            (delivery,) = complete(twin.claim(self.request(1)))
            complete(twin.extend([hold(delivery), Held("x", 1)], FOREVER))
            complete(twin.settle([settlement(delivery, Retry(error=BROKEN), attempts=1)]))
            answer = complete(twin.exchange([], self.request(2)))
            assert len(answer.deliveries) == 2
            complete(twin.sweep())
            complete(twin.expire("w1"))
            complete(twin.stats(self.QUEUE))
            assert complete(twin.queues()) == [self.QUEUE]
            complete(twin.report(Presence("w1"), FOREVER))
            assert len(complete(twin.workers())) == 1
            if twin.capabilities.pause:
                complete(twin.pause(self.QUEUE))
                complete(twin.resume(self.QUEUE))
            if twin.capabilities.purge:
                complete(twin.purge(self.QUEUE))
            assert complete(twin.ready(["nothing here"], 0.01)) is False
            complete(twin.flush())
            complete(twin.stop())

        await self.soon(in_thread(everything))
        assert await broker.queues() == []

    @needs("records", "blocking")
    async def test_a_twin_has_the_same_storage(self, broker: BaseBroker) -> None:
        """A twin's storage is a blocking one, and sees what the broker writes.

        If this fails: ``client().storage`` is the twin of ``storage``.
        """
        twin = broker.client()
        assert twin is not None
        storage = twin.storage
        assert storage is not None
        complete(twin.start())
        await broker.publish([message := self.message()])
        (record,) = complete(storage.get([message.id]))
        assert record is not None
        assert record.payload == message.payload
        assert len(complete(storage.list(RecordQuery())).records) == 1
        assert complete(storage.wait([message.id], 0.0)) == {}
        assert complete(storage.cancel([message.id], "x")) == {message.id: "cancelled"}
        assert list(complete(storage.wait([message.id], 0.0))) == [message.id]
        complete(twin.stop())
