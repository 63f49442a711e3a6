"""The same system with one mistake each: what a simulation that is worth its time must notice."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import msgspec

from qtasks._worker.keeper import Keeper
from qtasks._worker.pump import Pump
from qtasks._worker.revoking import Revoking
from qtasks.adapters.memory import MemoryBroker
from qtasks.schemas import Exchange, Extension, Retry, Swept
from simulation.link import Link
from simulation.world import Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qtasks.schemas import Claim, Delivery, Held, Message, Receipt, Settlement

__all__ = ["VARIANTS"]

change = msgspec.structs.replace


class SettlesAnyToken(MemoryBroker):
    """Does not look at the token of an outcome."""

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        rows = self._server.store.rows
        now = [change(s, token=rows[s.id].token) if s.id in rows else s for s in settlements]
        return await super().settle(now)


class RenewsForAnybody(MemoryBroker):
    """Does not look who renews a lease."""

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        rows = self._server.store.rows
        now = [change(h, token=rows[h.id].token) if h.id in rows else h for h in held]
        return await super().extend(now, lease)


class SweepsRenewedLeases(MemoryBroker):
    """Goes by the time of the claim when it takes leases back."""

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        answer = await super().extend(held, lease)
        store = self._server.store
        for one in held:
            row = store.rows.get(one.id)
            if row is not None and row.home is store.leases and row.token == one.token:
                store.leases.withdraw(row)
                store.leases.push((row.started_at or 0.0) + lease, row)
        return answer


class GivesManySuspects(MemoryBroker):
    """Hands suspects to a process that holds one."""

    async def claim(self, request: Claim) -> list[Delivery]:
        return await super().claim(change(request, suspects=request.limit))


class TakesBackWithTheToken(MemoryBroker):
    """Lets the token of a lease that ran out go on to settle."""

    async def sweep(self, limit: int = 100) -> Swept:
        tokens = {row.id: row.token for row in self._server.store.rows.values()}
        swept = await super().sweep(limit)
        for id_ in swept.taken_back:
            self._server.store.rows[id_].token = tokens[id_]
        return swept


class AddsAgain(MemoryBroker):
    """Takes a producer's second attempt for another task."""

    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        store = self._server.store
        for message in messages:
            row = store.rows.get(message.id)
            if row is not None and row.finished_at is not None:
                store.remove(row)
        return await super().publish(messages)


class ForgetsCancels(MemoryBroker):
    """Forgets that somebody wants a running task cancelled, once it is given back."""

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        for settlement in settlements:
            row = self._server.store.rows.get(settlement.id)
            if row is not None:
                row.cancel = None
        return await super().settle(settlements)


class SettlesInTwoCalls(Link):
    """Takes the task out of the queue first, and writes what became of it second."""

    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        if settlements:
            await self.ask("acknowledge", partial(self._acknowledge, settlements))
        return await super().exchange(settlements, request)

    async def _acknowledge(self, settlements: Iterable[Settlement]) -> None:
        store = self.inner._server.store
        for settlement in settlements:
            row = store.rows.get(settlement.id)
            if row is not None and row.token == settlement.token and row.lease_until is not None:
                store.leases.withdraw(row)
                row.home = None


class RetriesByCopy(Link):
    """Acknowledges a failed attempt, and adds the task anew."""

    async def exchange(self, settlements: Sequence[Settlement], request: Claim) -> Exchange:
        again = [s for s in settlements if isinstance(s.outcome, Retry)]
        others = [s for s in settlements if not isinstance(s.outcome, Retry)]
        messages: list[Message] = []
        if again:
            await self.ask("acknowledge", partial(self._acknowledge, again, messages))
            await self.ask("reschedule", lambda: self.inner.publish(messages))
        return await super().exchange(others, request)

    async def _acknowledge(self, settlements: Iterable[Settlement], gone: list[Message]) -> None:
        store = self.inner._server.store
        for settlement in settlements:
            row = store.rows.get(settlement.id)
            if row is not None and row.token == settlement.token and row.lease_until is not None:
                store.unlease(row)
                store.remove(row)
                gone.append(row.copy_message())


def _patched(kind: type, name: str, other: Callable[..., Any]) -> Variant:
    return Variant(patch=lambda: mock.patch.object(kind, name, other))


def _suspects_by_id(pump: Pump, settled: list[Settlement]) -> bool:
    leaving = {settlement.id for settlement in settled}
    return any(d.lost and d.id not in leaving for d in pump._held.values())


async def _round_without_renewals(keeper: Keeper) -> None:
    await keeper._sweep()
    await keeper._broker.report(keeper._target.presence(), keeper._lease)


def _forgetful(pump: Pump) -> None:
    pump._draining = True
    pump._buffer.clear()
    pump._wake.set()


async def _exchange_once(pump: Pump, want: int) -> None:
    batch = list(pump._outbox)
    await _exchange(pump, want)
    for entry in batch:
        if entry in pump._outbox:
            pump._outbox.remove(entry)


_exchange: Final = Pump._exchange

#: What is wrong, by what it is called.
VARIANTS: Final[dict[str, Variant]] = {
    # The broker's
    "settle without a look at the token": Variant(broker=SettlesAnyToken),
    "renew without a look at the owner": Variant(broker=RenewsForAnybody),
    "sweep that ignores renewals": Variant(broker=SweepsRenewedLeases),
    "claim that gives a second suspect": Variant(broker=GivesManySuspects),
    "take back without a new token": Variant(broker=TakesBackWithTheToken),
    "publish that doubles": Variant(broker=AddsAgain),
    "settle that forgets a request to cancel": Variant(broker=ForgetsCancels),
    "the clock of who asks": Variant(own_clock=True),
    "settle in two calls": Variant(link=SettlesInTwoCalls),
    "retry by acknowledging and adding anew": Variant(link=RetriesByCopy),
    # The worker's
    "a pump that asks for any suspects": _patched(Pump, "_keeps_suspect", lambda *_: False),
    "a pump that knows suspects by id alone": _patched(Pump, "_keeps_suspect", _suspects_by_id),
    "a pump that sets nobody apart": _patched(Pump, "_set_apart", lambda *_: None),
    "a pump that keeps what it should give back": _patched(Pump, "drain", _forgetful),
    "a pump that sends outcomes once": _patched(Pump, "_exchange", _exchange_once),
    "a keeper that does not renew": _patched(Keeper, "round", _round_without_renewals),
    "a worker deaf to its keeper": _patched(Revoking, "apply", lambda *_: None),
}
