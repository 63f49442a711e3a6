"""Brokers that publish wrongly or lead a wrong life, and the tests that catch them."""

from __future__ import annotations

import asyncio
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Self

import msgspec
import pytest

from qtasks.adapters.memory import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtasks.schemas import Claim, Delivery, Message, Receipt

change = msgspec.structs.replace

# Publishing


class Doubles(MemoryBroker):
    """Publishes a known id again."""

    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        store = self._server.store
        for message in messages:
            if message.id in store.rows:
                store.remove(store.rows[message.id])
        return await super().publish(messages)


class Replaces(MemoryBroker):
    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        rows = self._server.store.rows
        for message in messages:
            if message.id in rows:
                rows[message.id].message = message
        return await super().publish(messages)


class DoublesWithinACall(MemoryBroker):
    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        seen: set[str] = set()
        renamed = []
        for message in messages:
            again = message.id in seen
            seen.add(message.id)
            renamed.append(change(message, id=f"{message.id}-2") if again else message)
        return await super().publish(renamed)


class ForgetsTheFinished(MemoryBroker):
    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        store = self._server.store
        for message in messages:
            row = store.rows.get(message.id)
            if row is not None and row.finished_at is not None:
                store.remove(row)
        return await super().publish(messages)


class ReceiptsInAnyOrder(MemoryBroker):
    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        return (await super().publish(messages))[::-1]


class OneByOne(MemoryBroker):
    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        return [(await super(OneByOne, self).publish([message]))[0] for message in messages]


class ChokesOnNothing(MemoryBroker):
    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        assert messages
        return await super().publish(messages)

    async def claim(self, request: Claim) -> list[Delivery]:
        assert request.queues
        return await super().claim(request)


class Delivers(MemoryBroker):
    """Changes messages on their way."""

    def alter(self, message: Message) -> Message:
        return message

    async def claim(self, request: Claim) -> list[Delivery]:
        found = await super().claim(request)
        return [change(delivery, message=self.alter(delivery.message)) for delivery in found]


class LosesFields(Delivers):
    def alter(self, message: Message) -> Message:
        return change(message, parent_id=None)


class LosesPriorities(Delivers):
    def alter(self, message: Message) -> Message:
        return change(message, priority=max(-100, message.priority))


class LosesKeys(Delivers):
    def alter(self, message: Message) -> Message:
        return change(message, unique_key=None)


class Truncates(Delivers):
    def alter(self, message: Message) -> Message:
        return change(message, payload=message.payload[: 1 << 16])


class LosesNames(MemoryBroker):
    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        return await super().publish([change(m, queue=m.queue.lower()) for m in messages])


class SharesMessages(MemoryBroker):
    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        receipts = await super().publish(messages)
        for message in messages:
            self._server.store.rows[message.id].message = message
        return receipts


class CountsFromZero(MemoryBroker):
    async def claim(self, request: Claim) -> list[Delivery]:
        found = await super().claim(request)
        return [change(delivery, deliveries=delivery.deliveries - 1) for delivery in found]


# Life


class StartsOnce(MemoryBroker):
    started = stopped = False

    async def start(self) -> None:
        assert not self.started
        self.started = True


class StopsOnce(MemoryBroker):
    stopped = False

    async def stop(self) -> None:
        assert not self.stopped
        self.stopped = True


class StopsOnlyWhatStarted(MemoryBroker):
    started = False

    async def start(self) -> None:
        self.started = True

    async def stop(self) -> None:
        assert self.started


class LivesOnce(MemoryBroker):
    stopped = False

    async def start(self) -> None:
        assert not self.stopped

    async def stop(self) -> None:
        self.stopped = True


class LeavesThreads(MemoryBroker):
    async def start(self) -> None:
        Thread(target=Event().wait, args=(1.0,), daemon=True).start()


class LeavesTasks(MemoryBroker):
    async def start(self) -> None:
        self.task = asyncio.ensure_future(asyncio.sleep(60))


class NoTwins(MemoryBroker):
    def client(self) -> Any:
        return None


class TwinsForgetTheRetention(MemoryBroker):
    def client(self) -> Self:
        twin = super().client()
        twin._storage.retention = type(twin.retention)()
        return twin


class TwinsDieWithTheirMaker(MemoryBroker):
    alive: dict[int, bool] = {}  # noqa: RUF012 - shared by twins, as a connection would be

    async def stop(self) -> None:
        self.alive[id(self._server)] = self._blocking

    async def queues(self) -> list[str]:
        assert self.alive.get(id(self._server), True)
        return await super().queues()


class NoUrl(MemoryBroker):
    def __init__(self, url: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.url = ""


CATCHES: dict[Callable[..., Any], str] = {
    Doubles: "a_finished_task_is_known a_repeated_publish_does_not_double",
    Replaces: "a_known_id_changes_nothing",
    DoublesWithinACall: "a_known_id_within_one_call",
    ForgetsTheFinished: "a_finished_task_is_known",
    ReceiptsInAnyOrder: "one_holder_within_a_call receipts_are_in_order",
    OneByOne: "all_or_none",
    ChokesOnNothing: "nothing_to_claim nothing_to_publish",
    LosesFields: "a_message_arrives_as_it_was_sent",
    LosesPriorities: "priority_travels",
    LosesKeys: "the_unique_key_travels",
    Truncates: "payloads_may_be_large_or_empty",
    LosesNames: "names_may_be_anything",
    SharesMessages: "a_known_id_changes_nothing a_message_is_a_copy",
    CountsFromZero: "a_first_delivery_has_counted_nothing release_gives_back",
    StartsOnce: "start_after_stop start_may_be_repeated",
    StopsOnce: "start_after_stop stop_may_be_repeated",
    StopsOnlyWhatStarted: "a_twin_has_a_life_of_its_own stop_before_start",
    LivesOnce: "start_after_stop stop_before_start",
    LeavesThreads: "nothing_is_left_running",
    LeavesTasks: "nothing_is_left_running",
    NoTwins: "twins_are_there_if_they_are_claimed",
    TwinsForgetTheRetention: "a_twin_has_a_life_of_its_own",
    TwinsDieWithTheirMaker: "a_twin_outlives_its_maker stop_before_start",
    NoUrl: "it_says_what_it_is",
}


@pytest.mark.parametrize("broken", CATCHES, ids=lambda broken: broken.__name__)
def test_the_suite_catches(broken: Any, fails: Callable[..., Any]) -> None:
    for name in CATCHES[broken].split():
        assert fails(broken, f"test_{name}"), name
