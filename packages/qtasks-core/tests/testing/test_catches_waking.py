"""Brokers that wake nobody, count wrongly or mix up a crowd, and the tests that catch them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

import msgspec
import pytest

from qtasks.adapters.memory import MemoryBroker, MemoryStorage
from qtasks.adapters.memory.lanes import Lanes
from qtasks.adapters.memory.waiting import LoopWaiter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtasks.schemas import Claim, Delivery, Message, Presence, QueueStats, Receipt, Settlement

change = msgspec.structs.replace

# Waking


class NobodyIsWoken(MemoryBroker):
    async def start(self) -> None:
        self._server.ready_bells._waiters = Deaf()


class Deaf(dict[str, Any]):
    """Never finds anybody."""

    def get(self, key: str, default: Any = None) -> Any:
        return default


class DoesNotLookFirst(MemoryBroker):
    async def ready(self, queues: Sequence[str], timeout: float) -> bool:
        await self._clock.sleep(timeout)
        return await super().ready(queues, 0)


class WaitsForEver(MemoryBroker):
    async def ready(self, queues: Sequence[str], timeout: float) -> bool:
        return await super().ready(queues, 1e9)


class DoesNotKnowTheTime(MemoryBroker):
    """Looks when it is told to, and not when the time comes."""

    async def ready(self, queues: Sequence[str], timeout: float) -> bool:
        waiter = LoopWaiter(self._clock)
        self._server.ready_bells.add(queues, waiter)
        try:
            if not await super().ready(queues, 0):
                await waiter.pause(timeout)
        finally:
            self._server.ready_bells.remove(queues, waiter)
        return await super().ready(queues, 0)


class SwallowsCancellation(MemoryBroker):
    async def ready(self, queues: Sequence[str], timeout: float) -> bool:
        try:
            return await super().ready(queues, timeout)
        except asyncio.CancelledError:
            return False


# Overview


class CountsTwice(MemoryBroker):
    async def stats(self, queue: str) -> QueueStats:
        stats = await super().stats(queue)
        return change(stats, ready=stats.ready + stats.leased)


class NoAges(MemoryBroker):
    async def stats(self, queue: str) -> QueueStats:
        return change(await super().stats(queue), oldest_ready_age=None)


class AskingCreates(MemoryBroker):
    async def stats(self, queue: str) -> QueueStats:
        self._server.store.queues.setdefault(queue, Lanes())
        return await super().stats(queue)


class HidesThePause(MemoryBroker):
    async def stats(self, queue: str) -> QueueStats:
        return change(await super().stats(queue), paused=False)


class ForgetsEmptyQueues(MemoryBroker):
    async def queues(self) -> list[str]:
        return sorted({row.queue for row in self._server.store.rows.values()})


class PurgesTheReady(MemoryBroker):
    async def purge(self, queue: str) -> int:
        lanes = self._server.store.queues.get(queue)
        delayed = [] if lanes is None else list(lanes.delayed.rows())
        for row in delayed:
            lanes.delayed.withdraw(row)  # type: ignore[union-attr]  # the row waits in a queue
        number = await super().purge(queue)
        for row in delayed:
            lanes.delay(row)  # type: ignore[union-attr]  # the row waits in a queue
        return number


class PurgesTheQueueAlone(MemoryBroker):
    async def purge(self, queue: str) -> int:
        rows = dict(self._server.store.rows)
        number = await super().purge(queue)
        self._server.store.rows.update(rows)
        return number


class FlushesTasksAlone(MemoryBroker):
    async def flush(self) -> None:
        paused = self._server.store.paused
        await super().flush()
        self._server.store.paused = paused


class WorkersLiveForEver(MemoryBroker):
    async def report(self, presence: Presence, ttl: float) -> None:
        await super().report(presence, 1e9)


# Crowds


class LooksThenTakes(MemoryBroker):
    """Lets others in between looking and marking."""

    async def claim(self, request: Claim) -> list[Delivery]:
        store = self._server.store
        now = self._clock.time()
        rows = [row for q in request.queues if q in store.queues for row in store.queues[q].rows()]
        await asyncio.sleep(0)
        for row in rows[: request.limit]:
            store.unlease(row)
            store.lease(row, request.worker, request.lease, now)
        return [row.delivery() for row in rows[: request.limit]]


class LosesInThreads(MemoryBroker):
    async def claim(self, request: Claim) -> list[Delivery]:
        found = await super().claim(request)
        return found[1:] if self._blocking else found


class ChecksThenPublishes(MemoryBroker):
    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        holds, now = self._server.store.holds, self._clock.time()
        held = [holds.holder(message.unique_key, now) for message in messages]
        await asyncio.sleep(0)
        if any(held):
            return await super().publish(messages)
        keyless = [change(message, unique_key=None) for message in messages]
        return await super().publish(keyless)


class ChecksThenRequeues(MemoryBroker):
    """Every caller sees the letters before any of them is moved."""

    @property
    def storage(self) -> MemoryStorage:
        return EverybodyMoves(
            self.url, clock=self._clock, server=self._server, blocking=self._blocking
        )


class EverybodyMoves(MemoryStorage):
    async def requeue(self, ids: Sequence[str], **how: Any) -> list[str]:
        await super().requeue(ids, **how)
        return [*ids]


class ChecksThenSettles(MemoryBroker):
    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        rows = [self._server.store.rows[settlement.id] for settlement in settlements]
        await asyncio.sleep(0)
        refused = await super().settle(settlements)
        await asyncio.sleep(0)
        for row, settlement in zip(rows, settlements, strict=True):
            row.result = getattr(settlement.outcome, "result", None)
        return refused


class TwinsSuspend(MemoryBroker):
    async def stats(self, queue: str) -> QueueStats:
        await asyncio.sleep(0)
        return await super().stats(queue)


class TwinsAreAlone(MemoryBroker):
    def client(self) -> Self:
        twin = super().client()
        twin._storage = type(self)(clock=self._clock).storage
        return twin


CATCHES: dict[Callable[..., Any], str] = {
    NobodyIsWoken: (
        "a_release_wakes a_resumed_queue_wakes a_retry_wakes all_workers_may_wait publishing_wakes"
    ),
    DoesNotLookFirst: "a_release_wakes work_is_seen_at_once",
    WaitsForEver: "a_loop_wakes_a_thread an_idle_worker_gives_up",
    DoesNotKnowTheTime: "a_due_time_is_known_beforehand a_due_time_wakes",
    SwallowsCancellation: "an_idle_worker_may_be_cancelled",
    CountsTwice: "stats_count_by_state",
    NoAges: "stats_know_the_ages",
    AskingCreates: "stats_of_an_unknown_queue",
    HidesThePause: "stats_show_a_pause",
    ForgetsEmptyQueues: "queues_are_remembered",
    PurgesTheReady: "a_purge_removes_what_waits",
    PurgesTheQueueAlone: "a_purge_leaves_nothing_of_a_task",
    FlushesTasksAlone: "a_flush_removes_everything",
    WorkersLiveForEver: "workers_are_listed_while_they_report",
    LooksThenTakes: "a_paused_queue_gives_nothing nothing_is_lost_or_doubled",
    LosesInThreads: "threads_lose_nothing_either",
    ChecksThenPublishes: "a_thread_wakes_a_loop one_holder_among_many",
    ChecksThenRequeues: "letters_move_once_among_many",
    ChecksThenSettles: "a_stale_outcome_never_wins a_twin_never_suspends",
    TwinsSuspend: "a_twin_never_suspends",
    TwinsAreAlone: "a_twin_has_a_life_of_its_own a_twin_has_the_same_storage",
}


@pytest.mark.parametrize("broken", CATCHES, ids=lambda broken: broken.__name__)
def test_the_suite_catches(broken: Any, fails: Callable[..., Any]) -> None:
    for name in CATCHES[broken].split():
        assert fails(broken, f"test_{name}"), name
