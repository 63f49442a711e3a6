"""The ends of tasks, for those who wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.adapters.redis.records import record_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.adapters.redis.engine import Engine
    from qtasks.adapters.redis.waiting import Looked
    from qtasks.schemas import Record

__all__ = ["look_for_ends"]


async def look_for_ends(
    engine: Engine, ids: Sequence[str], name: str
) -> Looked[dict[str, Record | None]]:
    """Returns what has ended, and the shards in which the others will tell ``name``."""
    ended: dict[str, Record | None] = {}
    told: list[str] = []
    gone: dict[str, int] = dict.fromkeys(ids, 0)
    shards = await engine.shards()
    for shard in shards:
        left = [id_ for id_ in ids if id_ not in ended]
        count, *answer = await engine.run("records", shard, left, name)
        if count:
            told.append(shard)
        for id_, fields in zip(answer[::2], answer[1::2], strict=True):
            task_id = id_.decode()
            if fields is None:
                gone[task_id] += 1
            else:
                ended[task_id] = record_of(task_id, fields)
    ended |= {id_: None for id_, times in gone.items() if times == len(shards)}
    return ended or None, told
