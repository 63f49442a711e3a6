"""Brokers that hold leases wrongly, and the tests that catch them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.adapters.memory import MemoryBroker
from qtasks.schemas import (
    Extension,
    Retention,
    Swept,
    TaskStatusEnum,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtasks.schemas import Held

change = msgspec.structs.replace


class DoesNotRenew(MemoryBroker):
    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        return Extension()


class RenewsWithoutLooking(MemoryBroker):
    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        rows = self._server.store.rows
        now = [change(h, token=rows[h.id].token) if h.id in rows else h for h in held]
        return await super().extend(now, lease)


class AddsToTheLease(MemoryBroker):
    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        rows = self._server.store.rows
        longest = max((rows[h.id].lease_until or 0.0 for h in held if h.id in rows), default=0.0)
        return await super().extend(held, max(lease, longest + lease - self._clock.time()))


class ExpiredIsLost(MemoryBroker):
    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        rows, now = self._server.store.rows, self._clock.time()
        late = [h for h in held if h.id in rows and (rows[h.id].lease_until or now) <= now]
        answer = await super().extend([h for h in held if h not in late], lease)
        return change(answer, lost=(*answer.lost, *[h.id for h in late]))


class RenewalRevives(MemoryBroker):
    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        store = self._server.store
        for item in held:
            row = store.rows.get(item.id)
            if row is not None and row.token == item.token and row.finished_at is not None:
                store.revive(row)
                row.finished_at = None
                store.lease(row, row.worker, lease, self._clock.time())
                row.token = item.token
        return await super().extend(held, lease)


class LostIsNotTold(MemoryBroker):
    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        return change(await super().extend(held, lease), lost=())


class RequestsAreNotTold(MemoryBroker):
    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        return change(await super().extend(held, lease), cancelled={})


class SweepsTheLiving(MemoryBroker):
    async def sweep(self, limit: int = 100) -> Swept:
        store = self._server.store
        for row in list(store.leases.rows()):
            store.leases.withdraw(row)
            store.leases.push(self._clock.time(), row)
        return await super().sweep(limit)


class NeverSweeps(MemoryBroker):
    async def sweep(self, limit: int = 100) -> Swept:
        return Swept()


class SaysNotWhenLeasesEnd(MemoryBroker):
    async def sweep(self, limit: int = 100) -> Swept:
        return change(await super().sweep(limit), next_lease_end=None)


class SweepsWithoutLimit(MemoryBroker):
    async def sweep(self, limit: int = 100) -> Swept:
        return await super().sweep(1000)


class AlwaysMore(MemoryBroker):
    async def sweep(self, limit: int = 100) -> Swept:
        return change(await super().sweep(limit), more=True)


class ConvictsEarly(MemoryBroker):
    async def sweep(self, limit: int = 100) -> Swept:
        for row in self._server.store.leases.rows():
            row.lost += row.lost == 1
        return await super().sweep(limit)


class ConvictsLate(MemoryBroker):
    losses = 0

    async def sweep(self, limit: int = 100) -> Swept:
        for row in self._server.store.leases.rows():
            self.losses += 1
            row.lost = min(row.lost, 1) if self.losses < 4 else 2
        return await super().sweep(limit)


class LossesCountAsAttempts(MemoryBroker):
    async def sweep(self, limit: int = 100) -> Swept:
        swept = await super().sweep(limit)
        for id_ in swept.taken_back:
            self._server.store.rows[id_].attempts += 1
        return swept


class NoRetention(MemoryBroker):
    @property
    def retention(self) -> Retention:
        return Retention()

    @retention.setter
    def retention(self, retention: Retention) -> None:
        """Nothing comes of it."""


class RunningTasksExpire(MemoryBroker):
    async def sweep(self, limit: int = 100) -> Swept:
        store, now = self._server.store, self._clock.time()
        for row in list(store.leases.rows()):
            if store.overdue(row, now):
                store.expire_waiting(row, now, self.retention)
        return await super().sweep(limit)


class NothingExpires(MemoryBroker):
    async def publish(self, messages: Sequence[Any]) -> list[Any]:
        receipts = await super().publish(messages)
        for row in self._server.store.rows.values():
            self._server.store.deadlines.withdraw(row)
            row.expires_at = None
        return receipts


class ForgetsRequestsOfTheLost(MemoryBroker):
    async def sweep(self, limit: int = 100) -> Swept:
        for row in self._server.store.leases.rows():
            row.cancel = None
        return await super().sweep(limit)


class TakesBackAsNew(MemoryBroker):
    async def sweep(self, limit: int = 100) -> Swept:
        swept = await super().sweep(limit)
        for id_ in swept.taken_back:
            self._server.store.rows[id_].status = TaskStatusEnum.NEW
        return swept


CATCHES: dict[Callable[..., Any], str] = {
    DoesNotRenew: "a_renewal_counts_from_now a_renewed_lease_is_kept",
    RenewsWithoutLooking: "a_renewal_never_steals_back",
    AddsToTheLease: "a_renewal_counts_from_now a_renewal_never_steals_back",
    ExpiredIsLost: "an_expired_lease_may_be_renewed_until_it_is_taken_back",
    RenewalRevives: "a_renewal_does_not_revive",
    LostIsNotTold: "a_stale_token_cannot_renew an_expired_worker_is_fenced",
    RequestsAreNotTold: "a_renewal_brings_cancel_requests",
    SweepsTheLiving: "a_live_lease_is_left_alone a_renewed_lease_is_kept",
    SaysNotWhenLeasesEnd: "a_sweep_tells_when_the_next_lease_ends",
    NeverSweeps: "a_cancelled_task_is_kept_for_its_time tokens_grow",
    SweepsWithoutLimit: "a_round_is_bounded removing_is_bounded",
    AlwaysMore: "a_round_is_bounded nothing_to_sweep",
    ConvictsEarly: "losses_must_be_consecutive the_third_loss_convicts",
    ConvictsLate: "a_round_is_bounded losses_must_be_consecutive",
    LossesCountAsAttempts: "a_lost_delivery_waits_again",
    NoRetention: "a_convicted_task_is_kept_for_its_time what_was_not_started_in_time_is_cancelled",
    RunningTasksExpire: "what_was_started_in_time_may_finish",
    NothingExpires: "an_expired_task_is_not_started what_was_not_started_in_time_is_cancelled",
    ForgetsRequestsOfTheLost: "a_lost_task_that_was_to_be_cancelled_is_cancelled",
    TakesBackAsNew: "a_lost_delivery_waits_again",
}


@pytest.mark.parametrize("broken", CATCHES, ids=lambda broken: broken.__name__)
def test_the_suite_catches(broken: Any, fails: Callable[..., Any]) -> None:
    for name in CATCHES[broken].split():
        assert fails(broken, f"test_{name}"), name
