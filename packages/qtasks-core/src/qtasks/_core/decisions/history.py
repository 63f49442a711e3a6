"""The bounded history of a task."""

from __future__ import annotations

from typing import Final

import msgspec

from qtasks.contracts.codec import UNREADABLE
from qtasks.schemas import HistoryEntry

__all__ = ["append", "read"]

#: Entries kept from the beginning and from the end, and the most bytes in all.
FIRST: Final = 3
LAST: Final = 10
MAX_BYTES: Final = 32768

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[HistoryEntry])


def read(history: bytes | None) -> list[HistoryEntry]:
    """Decodes a stored history, oldest first; an unreadable one counts as empty."""
    if not history:
        return []
    try:
        return _decoder.decode(history)
    except UNREADABLE:
        return []


def append(history: bytes | None, entry: HistoryEntry) -> bytes:
    """Adds an entry and drops what exceeds the bounds, from the middle."""
    entries = [*read(history), entry]
    if len(entries) > FIRST + LAST:
        entries = entries[:FIRST] + entries[-LAST:]
    data = _encoder.encode(entries)
    while len(data) > MAX_BYTES and len(entries) > 1:
        del entries[min(FIRST, len(entries) - 2)]
        data = _encoder.encode(entries)
    return data
