"""The notes by which the server tells those who wait: who has ended, and often how.

A note is the length of its head in four bytes, the head, and values, one behind the other. The head
lists the tasks: their ids, and how long the fields and values of their records are. Where a record
is too long for a note, or its task did not end well, no lengths are given.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Final, TypeAlias

import msgspec

from qtasks.contracts.codec import UNREADABLE

__all__ = ["Told", "read_note"]

#: The id of a task of which there is news, and its record's fields and values in turn if they came.
Told: TypeAlias = tuple[str, list[bytes]]

_LENGTH: Final = 4
_decode_head: Final = msgspec.msgpack.Decoder(list[tuple[str, list[int]]]).decode


def read_note(note: bytes) -> list[Told]:
    """Reads what a note tells; one that others wrote tells of nobody."""
    begin = _LENGTH + int.from_bytes(note[:_LENGTH], "big")
    try:
        head = _decode_head(note[_LENGTH:begin])
    except UNREADABLE:
        return []
    told = []
    for id_, lengths in head:
        places = [*accumulate(lengths, initial=begin)]
        begin = places[-1]
        told.append((id_, [note[first:end] for first, end in pairwise(places)]))
    return told
