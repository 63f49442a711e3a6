"""The map of what is done beyond the committed offset, as it stands in a commit's metadata.

It names the runs of records that are *not* done, which are few: what runs now. All else below its
end is done. Holes in a log need no mention, because nothing is ever handed out from them.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["OffsetMap", "decode_map", "encode_map"]

_FORM: Final = 1
#: Servers refuse metadata of more than 4096 characters; others may use it too.
_LONGEST: Final = 3000
_MORE: Final = 0x80
#: A map that names more records as not done is none of ours, or too large to be worth its memory.
_MANY: Final = 1_000_000


class OffsetMap:
    """Offsets of which it is known whether they are done.

    Args:
        end: the first offset of which nothing is known.
        still_open: the offsets below it that are not done.
    """

    def __init__(self, end: int, still_open: Iterable[int] = ()) -> None:
        self.end = end
        self.open = frozenset(still_open)

    def done(self, offset: int) -> bool:
        """Tells whether a record is known to be done."""
        return offset < self.end and offset not in self.open


def encode_map(base: int, end: int, still_open: Sequence[int]) -> str:
    """Returns the map as text; empty if nothing beyond the base is done, or if it is too long.

    Args:
        base: the committed offset.
        end: the first offset that was never handed out.
        still_open: the offsets from base to end that are not done, in rising order.
    """
    runs = _runs(still_open)
    if runs and runs[-1][1] == end:  # what is open at the end might as well be unknown
        end = runs.pop()[0]
    if end <= base:
        return ""
    data = bytearray([_FORM])
    _put(data, end - base)
    last = base
    for start, stop in runs:
        _put(data, start - last)
        _put(data, stop - start)
        last = stop
    text = base64.b64encode(bytes(data)).decode()
    return text if len(text) <= _LONGEST else ""


def decode_map(base: int, text: str) -> OffsetMap:
    """Returns the map of a commit; one that knows nothing if it cannot be read."""
    try:
        numbers = list(_numbers(base64.b64decode(text, validate=True)))
    except (binascii.Error, ValueError):
        return OffsetMap(base)
    if len(numbers) % 2:
        return OffsetMap(base)
    form, length, *pairs = numbers or (0, 0)
    if form != _FORM:
        return OffsetMap(base)
    still_open: list[int] = []
    at = base
    for gap, size in zip(pairs[::2], pairs[1::2], strict=True):
        if at + gap + size > base + length or len(still_open) + size > _MANY:
            return OffsetMap(base)
        still_open += range(at + gap, at + gap + size)
        at += gap + size
    return OffsetMap(base + length, still_open)


def _runs(offsets: Sequence[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for offset in offsets:
        if runs and runs[-1][1] == offset:
            runs[-1] = runs[-1][0], offset + 1
        else:
            runs.append((offset, offset + 1))
    return runs


def _put(data: bytearray, number: int) -> None:
    while number >= _MORE:
        data.append(number & (_MORE - 1) | _MORE)
        number >>= 7
    data.append(number)


def _numbers(data: bytes) -> Iterable[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & (_MORE - 1)) << shift
        shift += 7
        if byte < _MORE:
            yield number
            number = shift = 0
    if shift:
        msg = "the last number is cut off"
        raise ValueError(msg)
