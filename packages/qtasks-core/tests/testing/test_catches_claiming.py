"""Brokers that hand out the wrong tasks, and the tests that catch them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.adapters.memory import MemoryBroker
from qtasks.adapters.memory.lanes import ORDINARY, RETURNED
from qtasks.schemas import Delivery, Exchange, Held, Receipt, Release, Settlement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtasks.schemas import Claim, Message, Swept

change = msgspec.structs.replace

# Claiming


class NoLimit(MemoryBroker):
    async def claim(self, request: Claim) -> list[Delivery]:
        return await super().claim(change(request, limit=1000))


class LastInFirstOut(MemoryBroker):
    async def claim(self, request: Claim) -> list[Delivery]:
        return (await super().claim(request))[::-1]


class NoPriorities(MemoryBroker):
    """Orders by arrival alone, and puts the priority back on the way out."""

    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        self.__dict__.setdefault("levels", {}).update({m.id: m.priority for m in messages})
        return await super().publish([change(message, priority=0) for message in messages])

    async def claim(self, request: Claim) -> list[Delivery]:
        found = await super().claim(request)
        levels = self.__dict__.get("levels", {})
        return [change(d, message=change(d.message, priority=levels.get(d.id, 0))) for d in found]


class QueuesInAnyOrder(MemoryBroker):
    async def claim(self, request: Claim) -> list[Delivery]:
        return await super().claim(change(request, queues=tuple(sorted(request.queues)[::-1])))


class MergesQueues(MemoryBroker):
    async def claim(self, request: Claim) -> list[Delivery]:
        found = await super().claim(request)
        return sorted(found, key=lambda delivery: delivery.message.priority)


class AllQueues(MemoryBroker):
    async def claim(self, request: Claim) -> list[Delivery]:
        return await super().claim(change(request, queues=tuple(self._server.store.queues)))


class DoesNotMark(MemoryBroker):
    """Hands out what is handed out already."""

    async def claim(self, request: Claim) -> list[Delivery]:
        found = await super().claim(request)
        store = self._server.store
        for delivery in found:
            row = store.rows[delivery.id]
            store.unlease(row)
            store.line_up(row, RETURNED, self._clock.time())
        return found


class WaitsForWork(MemoryBroker):
    async def claim(self, request: Claim) -> list[Delivery]:
        while not (found := await super().claim(request)):
            await asyncio.sleep(0.01)
        return found


class NoDelays(MemoryBroker):
    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        return await super().publish([change(m, delay=0.0) for m in messages])


class NoEta(MemoryBroker):
    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        return await super().publish([change(m, eta=None) for m in messages])


class DelayedOvertake(MemoryBroker):
    """Puts delayed tasks first when they are due."""

    async def claim(self, request: Claim) -> list[Delivery]:
        for queue in request.queues:
            lanes = self._server.store.queues.get(queue)
            while lanes and (row := lanes.delayed.pop_due(self._clock.time())) is not None:
                lanes.push(row, RETURNED)
        return await super().claim(request)


class DelayedBlock(MemoryBroker):
    async def claim(self, request: Claim) -> list[Delivery]:
        queues = self._server.store.queues
        free = [q for q in request.queues if not (q in queues and len(queues[q].delayed))]
        return await super().claim(change(request, queues=tuple(free)))


class NoPause(MemoryBroker):
    async def pause(self, queue: str) -> None:
        """Does nothing."""


class PauseStopsSettling(MemoryBroker):
    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        if self._server.store.paused:
            return [settlement.id for settlement in settlements]
        return await super().settle(settlements)


class StartsTheExpired(MemoryBroker):
    """Leaves expired tasks to the sweep alone."""

    async def claim(self, request: Claim) -> list[Delivery]:
        for row in self._server.store.rows.values():
            row.expires_at = None
        return await super().claim(request)


class SaysNoDeadlines(MemoryBroker):
    async def claim(self, request: Claim) -> list[Delivery]:
        found = await super().claim(request)
        return [msgspec.structs.replace(delivery, expires_at=None) for delivery in found]


class DropsTheExpired(MemoryBroker):
    async def claim(self, request: Claim) -> list[Delivery]:
        found = await super().claim(request)
        self._server.store.unreported.clear()
        return found


class ReleasesToTheEnd(MemoryBroker):
    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        refused = await super().settle(settlements)
        store = self._server.store
        for settlement in settlements:
            row = store.rows.get(settlement.id)
            if row is not None and isinstance(settlement.outcome, Release):
                store.withdraw(row)
                store.line_up(row, ORDINARY, self._clock.time())
        return refused


class ReleasesToTheVeryFront(MemoryBroker):
    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        for settlement in settlements:
            row = self._server.store.rows.get(settlement.id)
            if row is not None and isinstance(settlement.outcome, Release):
                row.message = change(row.message, priority=-128)
        return await super().settle(settlements)


class TakesBackToTheEnd(MemoryBroker):
    async def sweep(self, limit: int = 100) -> Swept:
        swept = await super().sweep(limit)
        store = self._server.store
        for id_ in swept.taken_back:
            store.withdraw(store.rows[id_])
            store.line_up(store.rows[id_], ORDINARY, self._clock.time())
        return swept


class NoRation(MemoryBroker):
    async def claim(self, request: Claim) -> list[Delivery]:
        return await super().claim(change(request, suspects=request.limit))


class RationForEachQueue(MemoryBroker):
    async def claim(self, request: Claim) -> list[Delivery]:
        found: list[Delivery] = []
        for queue in request.queues:
            left = request.limit - len(found)
            found += await super().claim(change(request, queues=(queue,), limit=left))
        return found


class SuspectsBlock(MemoryBroker):
    """Stops at the first suspect it may not hand out."""

    async def claim(self, request: Claim) -> list[Delivery]:
        found = await super().claim(request)
        rows = self._server.store.rows.values()
        if not any(row.lost and row.lease_until is None for row in rows):
            return found
        await super().settle([_release(delivery) for delivery in found if not delivery.lost])
        return [delivery for delivery in found if delivery.lost]


def _release(delivery: Delivery) -> Settlement:
    return Settlement(delivery.id, delivery.token, Release())


class ReleaseClears(MemoryBroker):
    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        for settlement in settlements:
            row = self._server.store.rows.get(settlement.id)
            if row is not None:
                row.lost = 0
        return await super().settle(settlements)


# Dying


class ExpiresNothing(MemoryBroker):
    async def expire(self, worker: str) -> int:
        return 0


class ForgivesAll(MemoryBroker):
    async def blame(self, held: Held, lost: int) -> None:
        self._server.store.rows[held.id].lost = 0


class TellsWhatOthersHold(MemoryBroker):
    async def holds(self, worker: str) -> list[Held]:
        rows = self._server.store.leases.rows()
        return [Held(row.id, row.token, row.message.queue) for row in rows]


class ExpiresAll(MemoryBroker):
    async def expire(self, worker: str) -> int:
        return sum([await super(ExpiresAll, self).expire(w) for w in ("dead", "alive")])


class ExpiresWithoutFence(MemoryBroker):
    async def expire(self, worker: str) -> int:
        rows = list(self._server.store.leases.rows())
        tokens = {row.id: row.token for row in rows}
        number = await super().expire(worker)
        for row in rows:
            row.token = tokens[row.id]
        return number


class NeverConvicts(MemoryBroker):
    async def expire(self, worker: str) -> int:
        for row in self._server.store.leases.rows():
            row.lost = 0
        return await super().expire(worker)


class ClaimsBeforeItSettles(MemoryBroker):
    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        return Exchange((), tuple(await self.claim(request)))


class RemembersOneAnswer(MemoryBroker):
    """Forgets what it had to answer when it is asked again meanwhile."""

    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        self.__dict__["answer"] = await super().exchange(settlements, request)
        await asyncio.sleep(0)
        return self.__dict__["answer"]  # type: ignore[no-any-return]  # it is one


CATCHES: dict[Callable[..., Any], str] = {
    SaysNoDeadlines: "a_delivery_says_by_when_it_must_start",
    NoLimit: "nothing_to_sweep the_limit_holds",
    LastInFirstOut: "a_large_batch_keeps_its_order first_in_first_out",
    NoPriorities: "lower_numbers_run_earlier priority_counts_at_the_time_of_the_claim",
    QueuesInAnyOrder: "queues_come_before_priorities queues_in_their_order",
    MergesQueues: "queues_come_before_priorities",
    AllQueues: "names_may_be_anything queues_are_apart",
    DoesNotMark: "a_claimed_task_is_not_claimed_again a_record_follows_the_run",
    WaitsForWork: "a_claimed_task_is_not_claimed_again settling_makes_room",
    NoDelays: "a_delay_holds_back delayed_tasks_do_not_block",
    NoEta: "an_eta_holds_back",
    DelayedOvertake: "delayed_tasks_line_up_when_they_are_due",
    DelayedBlock: "a_due_time_is_known_beforehand delayed_tasks_do_not_block",
    NoPause: "a_paused_queue_gives_nothing stats_show_a_pause",
    PauseStopsSettling: "a_pause_lets_running_tasks_settle",
    TellsWhatOthersHold: "what_a_worker_holds_is_told",
    ForgivesAll: "who_waits_for_its_last_chance_is_not_convicted",
    StartsTheExpired: "an_expired_task_is_not_started what_was_started_in_time_may_finish",
    DropsTheExpired: "a_retry_past_its_time_is_not_started an_expired_task_is_reported",
    ReleasesToTheEnd: "a_request_outlives_a_retry what_was_given_back_comes_first",
    ReleasesToTheVeryFront: "what_was_given_back_keeps_its_priority",
    TakesBackToTheEnd: "the_ration_counts_over_all_queues what_was_taken_back_comes_first",
    NoRation: "a_released_suspect_is_still_one the_ration_counts_over_all_queues",
    RationForEachQueue: "the_ration_counts_over_all_queues",
    SuspectsBlock: "suspects_are_rationed",
    ReleaseClears: "a_released_suspect_is_still_one retry_forgets_losses_and_release_does_not",
    ExpiresNothing: "a_returning_letter_wakes a_take_back_wakes",
    ExpiresAll: "a_dead_worker_gives_back_at_once innocents_are_not_convicted",
    ExpiresWithoutFence: "an_exchange_refuses_what_settle_refuses an_expired_worker_is_fenced",
    NeverConvicts: "a_third_death_convicts innocents_are_not_convicted",
    RemembersOneAnswer: "two_exchanges_at_once",
    ClaimsBeforeItSettles: "an_exchange_refuses_what_settle_refuses",
}


@pytest.mark.parametrize("broken", CATCHES, ids=lambda broken: broken.__name__)
def test_the_suite_catches(broken: Any, fails: Callable[..., Any]) -> None:
    for name in CATCHES[broken].split():
        assert fails(broken, f"test_{name}"), name
