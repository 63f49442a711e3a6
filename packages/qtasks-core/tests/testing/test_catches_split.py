"""Storages that do wrong beside a broker elsewhere, and the tests that catch them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.adapters.memory import MemoryStorage
from qtasks.schemas import Begun

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Sequence

    from qtasks.schemas import (
        CancelAnswer,
        Delivery,
        Message,
        QueueStats,
        Receipt,
        Settlement,
        Swept,
    )

change = msgspec.structs.replace

# Beside a broker elsewhere


class PutsAgain(MemoryStorage):
    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> builtins.list[Receipt]:
        for message in messages:
            if message.id in self._server.store.rows:
                self._server.store.remove(self._server.store.rows[message.id])
        return await super().put(messages, scheduled=scheduled)


class SchedulesAll(MemoryStorage):
    async def put(
        self, messages: Sequence[Message], *, scheduled: bool = False
    ) -> builtins.list[Receipt]:
        return await super().put(messages, scheduled=True)


class SchedulesForNow(MemoryStorage):
    async def due(self, limit: int, lease: float) -> builtins.list[Message]:
        for row in list(self._server.store.schedule.rows()):
            self._server.store.schedule.withdraw(row)
            self._server.store.schedule.push(0.0, row)
        return await super().due(limit, lease)


class GivesMessagesAsTheyCame(MemoryStorage):
    async def due(self, limit: int, lease: float) -> builtins.list[Message]:
        given = await super().due(limit, lease)
        return [self._server.store.rows[message.id].message for message in given]


class GivesTwice(MemoryStorage):
    async def due(self, limit: int, lease: float) -> builtins.list[Message]:
        return await super().due(limit, 0.0)


class GivesOnce(MemoryStorage):
    async def due(self, limit: int, lease: float) -> builtins.list[Message]:
        given = await super().due(limit, lease)
        await super().dispatched([message.id for message in given])
        return given


class GivesAll(MemoryStorage):
    async def due(self, limit: int, lease: float) -> builtins.list[Message]:
        return await super().due(1000, lease)


class IgnoresReports(MemoryStorage):
    async def dispatched(self, ids: Sequence[str]) -> None:
        """Does nothing."""


class TrustsReports(MemoryStorage):
    async def dispatched(self, ids: Sequence[str]) -> None:
        store = self._server.store
        for id_ in ids:
            if id_ in store.rows and store.rows[id_].home is store.schedule:
                store.withdraw(store.rows[id_])


class Begins(MemoryStorage):
    """Changes the answers of ``begin``."""

    def alter(self, begun: Begun, given: Sequence[Delivery]) -> Begun:
        return begun

    async def begin(self, deliveries: Sequence[Delivery], worker: str, lease: float) -> Begun:
        return self.alter(await super().begin(deliveries, worker, lease), deliveries)


class KeepsTheBrokersDelivery(Begins):
    def alter(self, begun: Begun, given: Sequence[Delivery]) -> Begun:
        by_id = {delivery.id: delivery for delivery in given}
        mine = [change(by_id[d.id], token=d.token) for d in begun.deliveries]
        return change(begun, deliveries=tuple(mine))


class LosesReceipts(Begins):
    def alter(self, begun: Begun, given: Sequence[Delivery]) -> Begun:
        return change(begun, deliveries=tuple(change(d, receipt=None) for d in begun.deliveries))


class SkipsTheUnknown(MemoryStorage):
    async def begin(self, deliveries: Sequence[Delivery], worker: str, lease: float) -> Begun:
        known = [d for d in deliveries if d.id in self._server.store.rows]
        begun = await super().begin(known, worker, lease)
        return change(begun, skip=tuple(d.id for d in deliveries if d not in known) + begun.skip)


class RunsWhatHasEnded(MemoryStorage):
    async def begin(self, deliveries: Sequence[Delivery], worker: str, lease: float) -> Begun:
        store = self._server.store
        for delivery in deliveries:
            row = store.rows.get(delivery.id)
            if row is not None and row.finished_at is not None and not row.dead:
                store.revive(row)
                row.finished_at = None
        return await super().begin(deliveries, worker, lease)


class TakesFromOthers(MemoryStorage):
    async def begin(self, deliveries: Sequence[Delivery], worker: str, lease: float) -> Begun:
        store = self._server.store
        for delivery in deliveries:
            row = store.rows.get(delivery.id)
            if row is not None and row.lease_until is not None and row.worker != worker:
                store.unlease(row)
        return await super().begin(deliveries, worker, lease)


class BeginsTwice(MemoryStorage):
    async def begin(self, deliveries: Sequence[Delivery], worker: str, lease: float) -> Begun:
        store = self._server.store
        found: builtins.list[Delivery] = []
        skip: builtins.list[str] = []
        for delivery in deliveries:
            row = store.rows.get(delivery.id)
            if row is not None and row.lease_until is not None and row.worker == worker:
                store.unlease(row)
            begun = await super().begin([delivery], worker, lease)
            found += begun.deliveries
            skip += begun.skip
        return Begun(tuple(found), tuple(skip))


class ForgivesLosses(MemoryStorage):
    async def begin(self, deliveries: Sequence[Delivery], worker: str, lease: float) -> Begun:
        for delivery in deliveries:
            row = self._server.store.rows.get(delivery.id)
            if row is not None:
                row.lost = min(row.lost, 0)
        return await super().begin(deliveries, worker, lease)


class RunsEarly(MemoryStorage):
    async def begin(self, deliveries: Sequence[Delivery], worker: str, lease: float) -> Begun:
        for row in self._server.store.rows.values():
            row.due_at = min(row.due_at, self._clock.time())
        return await super().begin(deliveries, worker, lease)


class RunningTasksStayScheduled(MemoryStorage):
    async def begin(self, deliveries: Sequence[Delivery], worker: str, lease: float) -> Begun:
        store = self._server.store
        scheduled = [row for row in store.schedule.rows() if row.held]
        begun = await super().begin(deliveries, worker, lease)
        for row in scheduled:
            store.schedule.withdraw(row)
            store.schedule.push(self._clock.time(), row)
        return begun


class LeavesRetriesToTheBroker(MemoryStorage):
    async def finish(self, settlements: Sequence[Settlement]) -> builtins.list[str]:
        refused = await super().finish(settlements)
        for row in list(self._server.store.schedule.rows()):
            self._server.store.withdraw(row)
        return refused

    async def sweep(self, limit: int = 100) -> Swept:
        swept = await super().sweep(limit)
        for id_ in swept.taken_back:
            self._server.store.withdraw(self._server.store.rows[id_])
        return swept


class LeavesLettersToTheBroker(MemoryStorage):
    async def requeue(
        self, ids: Sequence[str], *, reset_attempts: bool = True, spread: float = 0.0
    ) -> builtins.list[str]:
        moved = await super().requeue(ids, reset_attempts=reset_attempts, spread=spread)
        for id_ in moved:
            self._server.store.withdraw(self._server.store.rows[id_])
        return moved


class ExpiresNothing(MemoryStorage):
    async def expire(self, worker: str) -> int:
        return 0


class CountsEverything(MemoryStorage):
    """Counts what waits at the broker elsewhere as well."""

    async def stats(self, queue: str) -> QueueStats:
        stats = await super().stats(queue)
        rows = self._server.store.rows.values()
        return change(stats, ready=sum(not row.lease_until for row in rows))


class CancelsBesideTheSchedule(MemoryStorage):
    async def cancel(self, ids: Sequence[str], reason: str) -> dict[str, CancelAnswer]:
        store = self._server.store
        rows = [row for row in store.schedule.rows() if row.id in ids]
        answers = await super().cancel(ids, reason)
        for row in rows:
            store.schedule.push(row.due_at, row)
        return answers


CATCHES: dict[Callable[..., Any], str] = {
    PutsAgain: "put_may_be_repeated",
    SchedulesAll: "no_time_to_live_removes_at_once the_broker_elsewhere_has_what_is_not_scheduled",
    SchedulesForNow: "due_is_bounded the_schedule_waits",
    GivesMessagesAsTheyCame: "a_due_message_is_ready_to_publish",
    GivesTwice: "the_schedule_waits what_comes_back_is_scheduled",
    GivesOnce: "due_tasks_are_taken",
    GivesAll: "due_is_bounded",
    IgnoresReports: "dispatched_tasks_are_not_due",
    TrustsReports: "a_late_report_leaves_the_next_run_alone",
    KeepsTheBrokersDelivery: "begin_counts_a_loss begin_fills_in",
    LosesReceipts: "begin_fills_in",
    SkipsTheUnknown: "begin_makes_missing_records",
    RunsWhatHasEnded: (
        "a_waiting_task_is_cancelled_at_once begin_leaves_what_the_asking_worker_holds "
        "begin_skips_what_has_ended"
    ),
    TakesFromOthers: "begin_leaves_what_others_hold",
    BeginsTwice: "begin_counts_a_loss letters_are_scheduled",
    ForgivesLosses: "begin_counts_a_loss letters_are_scheduled",
    RunsEarly: "begin_leaves_the_next_run_to_the_schedule",
    RunningTasksStayScheduled: "what_is_begun_is_not_due",
    LeavesRetriesToTheBroker: (
        "a_held_key_answers_with_its_holder a_late_report_leaves_the_next_run_alone"
    ),
    LeavesLettersToTheBroker: "a_letter_moves_once letters_are_scheduled",
    ExpiresNothing: "a_dead_worker_gives_back_what_it_began",
    CountsEverything: "stats_count_what_is_here",
    CancelsBesideTheSchedule: "cancelled_tasks_are_not_due",
}


@pytest.mark.parametrize("broken", CATCHES, ids=lambda broken: broken.__name__)
def test_the_suite_catches(broken: Any, fails: Callable[..., Any]) -> None:
    for name in CATCHES[broken].split():
        assert fails(broken, f"test_{name}"), name
