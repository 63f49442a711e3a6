"""Noticing logs that are shorter than what was read of them: their topics were made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qtasks_broker_kafka.lanes import Place

__all__ = ["ShorterLogs"]

#: Seconds for which a log must have been too short: a server that has just taken over a partition
#: may know less of it, for a moment.
_SURE: Final = 3.0


class ShorterLogs:
    """Remembers since when logs have been too short.

    Kafka refuses to read on where no record is, and the driver begins anew; other servers wait
    until the new log is as long as the old one was.
    """

    def __init__(self) -> None:
        self._since: dict[Place, float] = {}

    def remade(self, place: Place, end: int | None, read: int | None, now: float) -> bool:
        """Tells whether a log must be another one than before; it is called again and again.

        Args:
            place: the partition.
            end: where its log ended when it was last read, or None if it was not yet.
            read: the offset up to which it was read, or None.
            now: seconds on a clock that never goes back.
        """
        if end is None or read is None or end >= read:
            self._since.pop(place, None)
            return False
        if now - self._since.setdefault(place, now) < _SURE:
            return False
        del self._since[place]
        return True
