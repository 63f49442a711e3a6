"""Settling and claiming, with one round trip to each shard."""

from __future__ import annotations

import secrets
from itertools import count
from math import inf
from typing import TYPE_CHECKING

from qtasks.adapters.redis.messages import deliveries, ids
from qtasks.adapters.redis.settlements import Batch, in_steps
from qtasks.adapters.redis.times import micros, seconds
from qtasks.contracts.clock import SystemClock
from qtasks.schemas import Claim, Delivery, Exchange, Settlement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.adapters.redis.engine import Engine

__all__ = ["Claimer"]


class Claimer:
    """Exchanges outcomes for deliveries, for one worker.

    A claim whose reply was lost has handed out tasks that nobody knows of. So each claim has a
    name; the next one after a failure tells the names of those that failed, and gets their tasks.

    Args:
        engine: where.

    Attributes:
        passed: whether the last claim left suspects to other workers; this one must not wake up
            for them again and again.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._clock = engine.clock or SystemClock()
        self._me = secrets.token_hex(4)
        self._numbers = count(1)
        self._unsure: dict[tuple[str, str], frozenset[str]] = {}
        self._idle: tuple[frozenset[str], float] | None = None
        self.passed = False

    def idle(self, queues: Sequence[str]) -> float | None:
        """Returns in how many seconds a task of the queues is due, if the last look told.

        Whatever comes after that look leaves a marker, and a sweep replaces what was lost: so
        nobody has to look again before.
        """
        known, self._idle = self._idle, None
        if known is None or known[0] != frozenset(queues):
            return None
        return max(known[1] - self._clock.monotonic(), 0.0)

    def rest(self, queues: Sequence[str], due: float) -> None:
        """Notes that there is nothing to claim, and in how many seconds there will be."""
        self._idle = (frozenset(queues), self._clock.monotonic() + due)

    async def exchange(self, settlements: Sequence[Settlement], request: Claim | None) -> Exchange:
        """Settles, then claims."""
        parts = self._by_shard(settlements)
        refused: list[str] = []
        found: list[Delivery] = []
        claims = self._claims(request)
        for shard in [shard for shard in parts if shard not in claims]:
            refused += (await self._settle(shard, parts[shard])).refused
        asked = _Asked(request)
        try:
            for shard, queues in claims.items():
                if request is None or self._has_enough(shard, request, asked):
                    refused += (await self._settle(shard, parts.get(shard, []))).refused
                    continue
                *before, mine = [*in_steps(parts.get(shard, []))] or [[]]
                for step in before:
                    refused += (await self._settle(shard, step)).refused
                answer = await self._both(shard, mine, queues, request, asked)
                refused += answer.refused
                found += answer.deliveries
        except BaseException:
            for who, names in asked.names.items():  # what other shards gave reaches nobody either
                self._unsure[who] = self._unsure.get(who, frozenset()) | names
            raise
        if request is not None:
            self._note(request, asked)
        return Exchange(tuple(refused), tuple(found))

    def _note(self, request: Claim, asked: _Asked) -> None:
        """Remembers what :meth:`idle` may tell."""
        self.passed = asked.passed > 0
        self._idle = None
        if asked.limit > 0:
            self.rest(request.queues, asked.next_due)

    def _claims(self, request: Claim | None) -> dict[str, list[str]]:
        """Returns the queues to claim from by shard, in their order."""
        shards: dict[str, list[str]] = {}
        for queue in dict.fromkeys(request.queues if request is not None else ()):
            shards.setdefault(self._engine.shard(queue), []).append(queue)
        return shards

    def _by_shard(self, settlements: Sequence[Settlement]) -> dict[str, list[Settlement]]:
        if not self._engine.sharded:
            return {self._engine.main: [*settlements]} if settlements else {}
        parts: dict[str, list[Settlement]] = {}
        for settlement in settlements:
            shard = self._engine.shard(str(settlement.receipt or ""))
            parts.setdefault(shard, []).append(settlement)
        return parts

    async def _settle(self, shard: str, settlements: Sequence[Settlement]) -> Exchange:
        """Settles in one shard, in bounded steps."""
        refused: list[str] = []
        for step in in_steps(settlements):
            batch = Batch(step)
            answer = await self._engine.move("settle", shard, batch.rows, blobs=batch.blobs)
            refused += ids(answer[0])
        return Exchange(tuple(refused))

    def _has_enough(self, shard: str, request: Claim, asked: _Asked) -> bool:
        """Whether nothing may come from a shard, and nothing has to be given back there."""
        return asked.limit <= 0 and (shard, request.worker) not in self._unsure

    async def _both(
        self,
        shard: str,
        settlements: Sequence[Settlement],
        queues: Sequence[str],
        request: Claim,
        asked: _Asked,
    ) -> Exchange:
        """Settles and claims in one shard."""
        batch = Batch(settlements)
        who = (shard, request.worker)
        before = self._unsure.pop(who, frozenset())
        nonce = f"{self._me}-{next(self._numbers)}"
        asked.names[who] = before | {nonce}
        claim = {
            "queues": queues,
            "limit": asked.limit,
            "suspects": asked.suspects,
            "lease": micros(request.lease),
            "worker": request.worker,
            "nonce": nonce,
            "again": [*before],
            **self._engine.limits(),
        }
        if settlements:
            answer = await self._engine.move(
                "exchange", shard, batch.rows, claim, blobs=batch.blobs
            )
        else:
            answer = await self._engine.move("claim", shard, claim)
        refused, out, now, next_due, passed, _ = answer
        found = deliveries(out, now)
        asked.took(found, passed, inf if next_due < 0 else seconds(next_due))
        return Exchange(tuple(ids(refused)), tuple(found))


class _Asked:
    """What a claim may still get, shard after shard.

    Attributes:
        limit: deliveries that may still come.
        suspects: how many of them may be suspects.
        names: the names of its claims, and of those that it asks again for, by shard and worker.
        passed: suspects that were left to others.
        next_due: seconds until the next delayed task is due.
    """

    def __init__(self, request: Claim | None) -> None:
        self.limit = 0 if request is None else request.limit
        self.suspects = 0 if request is None else request.suspects
        self.names: dict[tuple[str, str], frozenset[str]] = {}
        self.passed = 0
        self.next_due = inf

    def took(self, found: Sequence[Delivery], passed: int, next_due: float) -> None:
        """Notes the answer of one shard."""
        self.limit -= len(found)
        self.suspects -= sum(1 for delivery in found if delivery.lost)
        self.passed += passed
        self.next_due = min(self.next_due, next_due)
