"""Ids of tasks: UUIDs that sort by the time they were made (version 7, RFC 9562 section 5.7).

Servers keep them in ordered indexes, where neighbours in time are cheap and random ids are not.
"""

from __future__ import annotations

import os
from typing import Final

__all__ = ["new_id"]


#: The two fixed bits of the variant, before the two random ones that the index has at its end.
_VARIANTS: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def new_id(now: float) -> str:
    """Makes an id.

    Args:
        now: seconds since the epoch.
    """
    time = f"{int(now * 1000) & 0xFFFF_FFFF_FFFF:012x}"
    chance = os.urandom(10).hex()
    variant = _VARIANTS[chance[3]]
    return f"{time[:8]}-{time[8:]}-7{chance[:3]}-{variant}{chance[4:7]}-{chance[8:]}"
