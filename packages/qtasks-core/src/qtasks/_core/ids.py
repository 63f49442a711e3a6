"""Ids of tasks: UUIDs that sort by the time they were made (version 7, RFC 9562 section 5.7).

Servers keep them in ordered indexes, where neighbours in time are cheap and random ids are not.
"""

from __future__ import annotations

import secrets
from uuid import UUID

__all__ = ["new_id"]


def new_id(now: float) -> str:
    """Makes an id.

    Args:
        now: seconds since the epoch.
    """
    milliseconds = int(now * 1000) & ((1 << 48) - 1)
    value = (milliseconds << 80) | secrets.randbits(80)
    value &= ~((0xF << 76) | (0x3 << 62))
    return str(UUID(int=value | (0x7 << 76) | (0x2 << 62)))
