"""From what the driver fetches to records that wait for a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtasks_broker_kafka.codec import decode, stand_in
from qtasks_broker_kafka.lanes import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import ConsumerRecord

    from qtasks_broker_kafka.lanes import Order, Place
    from qtasks_broker_kafka.tracker import Tracker

__all__ = ["taken_in"]

_MS: Final = 1000


def taken_in(
    place: Place,
    fetched: Sequence[ConsumerRecord[Any, Any]],
    queue: str,
    tracker: Tracker,
    order: Order,
) -> list[Record]:
    """Returns the tasks in what was fetched from one partition; stand-ins for other bytes.

    Args:
        place: the partition.
        fetched: what was fetched.
        queue: the queue of the topic.
        tracker: follows the partition.
        order: how the tasks of the queue are ordered.
    """
    taken = []
    for record in fetched:
        malformed = None
        try:
            message = decode(record.value, queue)
        except ValueError as error:
            message = stand_in(*place, record.offset, queue)
            malformed = f"record {place[0]}/{place[1]}/{record.offset}: {error}"
        taken.append(
            Record(
                message,
                place,
                record.offset,
                timestamp=record.timestamp / _MS,
                tracker=tracker,
                size=len(record.value or b""),
                key=record.key,
                order=order,
                malformed=malformed,
            )
        )
    return taken
