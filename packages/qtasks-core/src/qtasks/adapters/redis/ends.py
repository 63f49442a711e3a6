"""The ends of tasks, for those who wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.adapters.redis.records import record_of
from qtasks.adapters.redis.times import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qtasks.adapters.redis.engine import Engine
    from qtasks.adapters.redis.notes import Told
    from qtasks.adapters.redis.waiting import Looked
    from qtasks.schemas import Record

__all__ = ["Ends"]


class Ends:
    """What a wait for ends looks for.

    Args:
        engine: where the tasks are.
        ids: the tasks.
    """

    def __init__(self, engine: Engine, ids: Sequence[str]) -> None:
        self._engine = engine
        self._ids = ids
        self._looked = 0  # microseconds since the epoch, by the server's clock

    async def look(self, name: str) -> Looked[dict[str, Record | None]]:
        """Returns what has ended, and the shards in which the others will tell ``name``."""
        ended: dict[str, Record | None] = {}
        told: list[str] = []
        gone: dict[str, int] = dict.fromkeys(self._ids, 0)
        shards = await self._engine.shards()
        for shard in shards:
            left = [id_ for id_ in self._ids if id_ not in ended]
            count, now, *answer = await self._engine.repeat("records", shard, left, name)
            self._looked = max(self._looked, now)
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

    def hear(self, told: Iterable[Told]) -> dict[str, Record | None] | None:
        """Returns the records that came with notes; None if it takes a look to know them.

        A note may have lain there since an earlier wait, so it has to be younger than the look.
        """
        ended: dict[str, Record | None] = {
            id_: record_of(id_, fields)
            for id_, fields in told
            if id_ in self._ids and _finished(fields) > self._looked
        }
        return ended or None


def _finished(fields: list[bytes]) -> int:
    """Returns when a record says that its task ended; 0 if it is none."""
    if len(fields) % 2:
        return 0
    return whole(dict(zip(fields[::2], fields[1::2], strict=True)).get(b"f"))
