"""Housekeeping over all shards, for brokers and for storages that stand alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtasks.adapters.redis.messages import ids
from qtasks.adapters.redis.times import seconds
from qtasks.schemas import Held, Swept

if TYPE_CHECKING:
    from qtasks.adapters.redis.engine import Engine

__all__ = ["expire", "holds", "sweep"]

#: Leases that one step takes back from a dead worker.
_EXPIRE_STEP: Final = 200


async def sweep(engine: Engine, limit: int) -> Swept:
    """Does one round of housekeeping in every shard; see :meth:`BaseBroker.sweep`."""
    total = Swept()
    ends: list[float] = []
    shards = await engine.shards()
    if engine.main not in shards:
        shards.append(engine.main)  # workers report themselves there
    for shard in shards:
        back, convicted, expired, purged, more, micros = await engine.run(
            "sweep", shard, limit, engine.limits()
        )
        if micros is not None:
            ends.append(seconds(micros))
        total = Swept(
            taken_back=(*total.taken_back, *ids(back)),
            convicted=(*total.convicted, *ids(convicted)),
            expired=(*total.expired, *ids(expired)),
            purged=total.purged + purged,
            more=total.more or bool(more),
            next_lease_end=min(ends, default=None),
        )
    return total


async def expire(engine: Engine, worker: str) -> int:
    """Takes back all that a worker holds; see :meth:`BaseBroker.expire`."""
    total = 0
    for shard in await engine.shards():
        while True:
            count, seen = await engine.run("expire", shard, worker, _EXPIRE_STEP, engine.limits())
            total += count
            if seen < _EXPIRE_STEP:
                break
    return total


async def holds(engine: Engine, worker: str) -> list[Held]:
    """Lists what a worker holds; see :meth:`BaseBroker.holds`."""
    found: list[Held] = []
    for shard in await engine.shards():
        answer = await engine.repeat("holds", shard, worker)
        texts = [value.decode(errors="backslashreplace") for value in answer]
        rows = zip(texts[::3], texts[1::3], texts[2::3], strict=True)
        found += [Held(id_, int(token), queue) for id_, token, queue in rows]
    return found
