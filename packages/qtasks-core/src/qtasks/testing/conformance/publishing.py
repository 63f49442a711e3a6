"""Publishing: idempotent, in order, all or none, intact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qtasks.schemas import Message, Receipt, Success
from qtasks.testing.conformance.base import LEASE, needs
from qtasks.testing.conformance.brokers import Brokers
from qtasks.testing.conformance.lines import settlement

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker

__all__ = ["Publishing"]


class Publishing(Brokers):
    """Rules of ``publish``."""

    async def delivered(self, broker: BaseBroker, **fields: Any) -> Message:
        """Publishes a message and returns it as it is delivered."""
        message = self.message(**fields)
        await broker.publish([message])
        delivery = await self.one(broker, queue=message.queue)
        return delivery.message

    async def test_receipts_are_in_order(self, broker: BaseBroker) -> None:
        """Each message gets a receipt with its id, in the order of the call.

        If this fails: build the answer from the call, not from what the server returns.
        """
        messages = self.messages(5)
        receipts = await broker.publish(messages)
        assert receipts == [Receipt(message.id, created=True) for message in messages]

    async def test_nothing_to_publish(self, broker: BaseBroker) -> None:
        """Publishing nothing is allowed.

        If this fails: return early for an empty sequence.
        """
        assert await broker.publish([]) == []
        assert await broker.queues() == []

    @needs("records")
    async def test_a_repeated_publish_does_not_double(self, broker: BaseBroker) -> None:
        """A call that is sent again after a lost reply creates no second task.

        If this fails: look the id up and insert in one step; answer ``created=False``.
        """
        messages = self.messages(3)
        await broker.publish(messages)
        receipts = await broker.publish(messages)
        assert receipts == [Receipt(message.id, created=False) for message in messages]
        deliveries = await self.claim(broker, 10)
        assert [delivery.id for delivery in deliveries] == [message.id for message in messages]
        assert await self.claim(broker, 10) == []

    @needs("records")
    async def test_a_known_id_changes_nothing(self, broker: BaseBroker) -> None:
        """A message under a known id does not replace what is stored.

        If this fails: insert, never replace.
        """
        message = self.message(payload=b"first")
        await broker.publish([message])
        other = self.message(id=message.id, payload=b"second", priority=-5, queue="elsewhere")
        assert await broker.publish([other]) == [Receipt(message.id, created=False)]
        assert await self.claim(broker, queue="elsewhere") == []
        delivery = await self.one(broker)
        assert delivery.message.payload == b"first"

    @needs("records")
    async def test_a_known_id_within_one_call(self, broker: BaseBroker) -> None:
        """The same id twice in one call is one task.

        If this fails: the messages of a call see those before them.
        """
        message, other = self.messages(2)
        receipts = await broker.publish([message, other, message])
        assert [receipt.created for receipt in receipts] == [True, True, False]
        assert len(await self.claim(broker, 10)) == 2

    @needs("records")
    async def test_a_finished_task_is_known(self, broker: BaseBroker) -> None:
        """As long as the record of a finished task is kept, publishing its id does nothing.

        If this fails: the reply may have been lost so long that the task ran meanwhile.
        """
        message = self.message()
        await broker.publish([message])
        delivery = await self.one(broker)
        await broker.settle([settlement(delivery, Success())])
        assert await broker.publish([message]) == [Receipt(message.id, created=False)]
        assert await self.claim(broker) == []

    async def test_all_or_none(self, broker: BaseBroker) -> None:
        """If one message of a call cannot be queued, none is.

        If this fails: encode everything before writing anything, and write in one step.
        """
        message = self.message()
        unusable: Any = object()
        with pytest.raises(Exception):  # noqa: B017, PT011 - any refusal will do
            await broker.publish([message, unusable])
        assert await self.claim(broker, 10) == []

    async def test_a_message_arrives_as_it_was_sent(self, broker: BaseBroker) -> None:
        """Every field of a message reaches the worker.

        If this fails: a field is not stored, or not read back.
        """
        message = self.message(
            task="pkg.модуль.задача",
            payload=bytes(range(256)) * 3,
            headers={"traceparent": "00-1-2-03", "ü": "ß 漢字 \N{PARTY POPPER}", "": ""},
            expires=1_000_000.0,
            parent_id="parent",
            root_id="root",
        )
        await broker.publish([message])
        delivery = await self.one(broker)
        assert delivery.message == message
        assert delivery.malformed is None

    @needs("priority")
    async def test_priority_travels(self, broker: BaseBroker) -> None:
        """The worker sees the priority.

        If this fails: it is not stored, or it is changed to fit the server.
        """
        for priority in (-128, 127):
            assert (await self.delivered(broker, priority=priority)).priority == priority

    @needs("unique")
    async def test_the_unique_key_travels(self, broker: BaseBroker) -> None:
        """The worker sees the unique key.

        If this fails: it is only kept in an index.
        """
        assert (await self.delivered(broker, unique_key="ключ:1")).unique_key == "ключ:1"

    async def test_names_may_be_anything(self, broker: BaseBroker) -> None:
        """Queue names with spaces, separators and letters of any script keep their tasks apart.

        If this fails: escape names instead of joining them with a separator.
        """
        names = ["a", "a:b", "a:", "a b/c", "очередь", "*", "{x}", "a%b_c", "A"]
        await broker.publish([self.message(queue=name, payload=name.encode()) for name in names])
        for name in names:
            deliveries = await self.claim(broker, 10, queue=name)
            assert [delivery.message.payload for delivery in deliveries] == [name.encode()]
        assert await broker.queues() == sorted(names)

    async def test_payloads_may_be_large_or_empty(self, broker: BaseBroker) -> None:
        """A payload of nothing and one of 1 MiB arrive unchanged.

        If this fails: treat payloads as opaque bytes; check the server's limits at start.
        """
        large = bytes(range(256)) * 4096
        assert (await self.delivered(broker, payload=large)).payload == large
        assert (await self.delivered(broker, payload=b"")).payload == b""
        assert (await self.delivered(broker, payload=b"\x00\xff\n")).payload == b"\x00\xff\n"

    async def test_a_large_batch_keeps_its_order(self, broker: BaseBroker) -> None:
        """A thousand messages of one call are delivered in its order.

        If this fails: number messages in the order of the call.
        """
        messages = self.messages(1000)
        await broker.publish(messages)
        ids: list[str] = []
        for _ in range(5):
            ids += [delivery.id for delivery in await self.claim(broker, 300)]
        assert ids == [message.id for message in messages]

    @needs("records")
    async def test_a_message_is_a_copy(self, broker: BaseBroker) -> None:
        """What the sender or a worker does to its headers does not reach others.

        If this fails: copy what can be changed.
        """
        headers = {"a": "1"}
        await broker.publish([self.message(headers=headers)])
        headers["a"] = "changed"
        delivery = await self.one(broker, lease=self.seconds(LEASE))
        assert delivery.message.headers == {"a": "1"}
        delivery.message.headers["b"] = "2"
        await self.later(LEASE * 1.1)
        await broker.sweep()
        delivery = await self.one(broker)
        assert delivery.message.headers == {"a": "1"}

    async def test_a_first_delivery_has_counted_nothing(self, broker: BaseBroker) -> None:
        """The first delivery of a task shows one hand-out and nothing else, and three times.

        If this fails: ``deliveries`` includes this one; times are the server's.
        """
        start = self.now()
        await broker.publish([self.message()])
        delivery = await self.one(broker)
        assert (delivery.deliveries, delivery.attempts) == (1, 0)
        assert (delivery.lost, delivery.snoozes, delivery.history) == (0, 0, None)
        times = [delivery.enqueued_at, delivery.due_at, delivery.claimed_at]
        assert times == sorted(times)
        assert abs(delivery.enqueued_at - start) < self.PATIENCE
