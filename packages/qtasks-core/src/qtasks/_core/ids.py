"""Ids of tasks: UUIDs that sort by the time they were made (version 7, RFC 9562 section 5.7).

Servers keep them in ordered indexes, where neighbours in time are cheap and random ids are not.
"""

from __future__ import annotations

import os

__all__ = ["new_id"]


def new_id(now: float) -> str:
    """Makes an id.

    Args:
        now: seconds since the epoch.
    """
    milliseconds = int(now * 1000) & ((1 << 48) - 1)
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value &= ~((0xF << 76) | (0x3 << 62))
    text = f"{value | (0x7 << 76) | (0x2 << 62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
