"""Cutting what a call names into steps that a server takes quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["MOST_BYTES", "cut"]

T = TypeVar("T")

#: Bytes of one step, if it has more than one item: a step that is not over the wire after some
#: seconds counts as failed, and would be so for ever. ``exchange.lua`` has the same for replies.
MOST_BYTES: Final = 8 * 1024 * 1024


def cut(items: Sequence[T], most: int, size: Callable[[T], int]) -> Iterator[Sequence[T]]:
    """Cuts items into stretches.

    Args:
        items: the items.
        most: how many may be in one stretch.
        size: tells the bytes of one item.
    """
    start, total = 0, 0
    for place, item in enumerate(items):
        total += size(item)
        if place > start and (place - start >= most or total > MOST_BYTES):
            yield items[start:place]
            start, total = place, size(item)
    if start < len(items):
        yield items[start:]
