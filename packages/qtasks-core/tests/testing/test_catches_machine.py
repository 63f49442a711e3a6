"""Brokers with one fault each, which the state machine finds by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from qtasks.adapters.memory import MemoryBroker
from qtasks.adapters.memory.lanes import ORDINARY
from qtasks.testing.conformance import BrokerMachine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.schemas import (
        Claim,
        Delivery,
        Exchange,
        Extension,
        Held,
        Message,
        Receipt,
        Settlement,
        Swept,
    )
    from qtasks.typing import Clock

change = msgspec.structs.replace


class NoTokenCheck(MemoryBroker):
    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        rows = self._server.store.rows
        now = [change(s, token=rows[s.id].token) if s.id in rows else s for s in settlements]
        return await super().settle(now)


class RenewsWithoutLooking(MemoryBroker):
    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        rows = self._server.store.rows
        now = [change(h, token=rows[h.id].token) if h.id in rows else h for h in held]
        return await super().extend(now, lease)


class Doubles(MemoryBroker):
    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        store = self._server.store
        for message in messages:
            row = store.rows.get(message.id)
            if row is not None and row.finished_at is not None:
                store.remove(row)
        return await super().publish(messages)


class TakeBackKeepsTheToken(MemoryBroker):
    async def expire(self, worker: str) -> int:
        tokens = {row.id: row.token for row in self._server.store.rows.values()}
        number = await super().expire(worker)
        for id_, token in tokens.items():
            self._server.store.rows[id_].token = token
        return number


class NoRation(MemoryBroker):
    async def claim(self, request: Claim) -> list[Delivery]:
        return await super().claim(change(request, suspects=request.limit))


class LossesAreNotReset(MemoryBroker):
    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        rows = self._server.store.rows
        lost = {s.id: rows[s.id].lost for s in settlements if s.id in rows}
        refused = await super().settle(settlements)
        for settlement in settlements:
            if settlement.id in rows:
                rows[settlement.id].lost = lost[settlement.id]
        return refused


class ConvictsEarly(MemoryBroker):
    async def expire(self, worker: str) -> int:
        for row in self._server.store.leases.rows():
            row.lost += row.lost == 1
        return await super().expire(worker)


class SweepsTheLiving(MemoryBroker):
    async def sweep(self, limit: int = 100) -> Swept:
        leases = self._server.store.leases
        for row in list(leases.rows()):
            leases.withdraw(row)
            leases.push((row.lease_until or 0.0) - 1.0, row)
        return await super().sweep(limit)


class ForgetsRequests(MemoryBroker):
    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        for row in self._server.store.rows.values():
            row.cancel = None
        return await super().settle(settlements)


class LosesTheOrder(MemoryBroker):
    """Sends what was given back to the end."""

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        refused = await super().settle(settlements)
        store = self._server.store
        for settlement in settlements:
            row = store.rows.get(settlement.id)
            if row is not None and row.finished_at is None and row.lease_until is None:
                store.withdraw(row)
                store.line_up(row, ORDINARY, self._clock.time())
        return refused


class Loses(MemoryBroker):
    """Forgets to queue what was taken back."""

    async def sweep(self, limit: int = 100) -> Swept:
        swept = await super().sweep(limit)
        for id_ in swept.taken_back:
            self._server.store.withdraw(self._server.store.rows[id_])
        return swept


class ExchangesWithoutLooking(MemoryBroker):
    """Checks tokens when it settles, and not when it settles and claims in one call."""

    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        answer = await super().exchange(settlements, request)
        return change(answer, refused=())


class PurgesTheFinished(MemoryBroker):
    async def purge(self, queue: str) -> int:
        store = self._server.store
        for row in [row for row in store.rows.values() if row.queue == queue]:
            if row.finished_at is not None:
                store.remove(row)
        return await super().purge(queue)


BROKEN = [
    NoTokenCheck,
    RenewsWithoutLooking,
    Doubles,
    TakeBackKeepsTheToken,
    NoRation,
    LossesAreNotReset,
    ConvictsEarly,
    SweepsTheLiving,
    ForgetsRequests,
    LosesTheOrder,
    Loses,
    ExchangesWithoutLooking,
    PurgesTheFinished,
]


@pytest.mark.parametrize("broken", BROKEN)
def test_the_machine_catches(broken: type[MemoryBroker]) -> None:
    class Machine(BrokerMachine):
        def make_broker(self, clock: Clock) -> MemoryBroker:
            return broken(clock=clock)

    # Finding is enough here; the shortest example is for people.
    once: Any = settings(max_examples=1000, stateful_step_count=60, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Machine, settings=once)
