"""Reading what a group committed, and the maps beside it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from qtasks_broker_kafka.offset_map import OffsetMap, decode_map

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiokafka import AIOKafkaConsumer, TopicPartition

__all__ = ["Commit", "committed_with_maps"]

#: The committed offset, or None, and what is known to be done beyond it.
Commit: TypeAlias = "tuple[int | None, OffsetMap | None]"


async def committed_with_maps(
    consumer: AIOKafkaConsumer, places: Iterable[TopicPartition]
) -> dict[TopicPartition, Commit]:
    """Returns the commits of partitions.

    The driver has no public way to read the maps. Where its way has changed, there are none, and
    the storage alone knows what is done beyond the offsets.
    """
    wanted = [*places]
    fetch = getattr(getattr(consumer, "_coordinator", None), "fetch_committed_offsets", None)
    if fetch is None:
        offsets = await asyncio.gather(*(consumer.committed(place) for place in wanted))
        return {place: (offset, None) for place, offset in zip(wanted, offsets, strict=True)}
    answer = await fetch(wanted)
    found: dict[TopicPartition, Commit] = dict.fromkeys(wanted, (None, None))
    for place, commit in answer.items():
        if commit.offset >= 0:
            found[place] = commit.offset, decode_map(commit.offset, commit.metadata or "")
    return found
