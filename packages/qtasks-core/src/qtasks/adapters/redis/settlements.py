"""Settlements, as the scripts take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtasks.adapters.redis.messages import encode
from qtasks.adapters.redis.steps import cut
from qtasks.adapters.redis.times import micros
from qtasks.schemas import Cancel, Fail, Retry, Success

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from qtasks.schemas import Settlement

__all__ = ["FIRST_BLOB", "Batch", "in_steps"]

#: The number of the first byte string that a script gets.
FIRST_BLOB: Final = 3
#: Outcomes of one step; after an outage there may be many more.
_STEP: Final = 500


def in_steps(settlements: Sequence[Settlement]) -> Iterator[Sequence[Settlement]]:
    """Cuts settlements into what one script may take."""
    return cut(settlements, _STEP, _size)


def _size(settlement: Settlement) -> int:
    """Returns the bytes of an outcome that may be many."""
    result = settlement.outcome.result if type(settlement.outcome) is Success else None
    return len(result or b"") + len(settlement.history or b"")


class Batch:
    """Settlements with their byte strings, which travel beside them.

    Attributes:
        rows: what the script has to know of each.
        blobs: the byte strings; the rows point to them by number.
    """

    def __init__(self, settlements: Iterable[Settlement] = ()) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.blobs: list[bytes] = []
        for settlement in settlements:
            self.rows.append(self._row(settlement))

    def _row(self, settlement: Settlement) -> tuple[Any, ...]:
        outcome = settlement.outcome
        kind: str
        rest: tuple[Any, ...]
        if type(outcome) is Success:
            kind, rest = "success", (self._number(outcome.result),)
        elif type(outcome) is Retry:
            error = outcome.error
            packed = (False, 0) if error is None else (error.type, self._number(encode(error)))
            kind, rest = "retry", (micros(outcome.delay), outcome.counted, *packed)
        elif type(outcome) is Fail:
            error = outcome.error
            kind, rest = "fail", (outcome.reason, error.type, self._number(encode(error)))
        elif type(outcome) is Cancel:
            kind, rest = "cancel", (outcome.reason,)
        else:
            kind, rest = "release", ()
        headers = settlement.headers
        return (
            settlement.id,
            str(settlement.token),
            kind,
            settlement.attempts,
            settlement.snoozes,
            micros(settlement.ttl),
            self._number(settlement.history),
            self._number(None if headers is None else encode(headers)),
            *rest,
        )

    def _number(self, blob: bytes | None) -> int:
        """Takes a byte string along and returns its number, 0 for none."""
        if blob is None:
            return 0
        self.blobs.append(blob)
        return len(self.blobs) + FIRST_BLOB - 1
