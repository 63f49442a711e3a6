"""What was seen of one server."""

from __future__ import annotations

from typing import Any

import msgspec

from qtasks.adapters.redis.greeting import Greeting
from qtasks.adapters.redis.url import Target

__all__ = ["Sight"]


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """One server, as a look at it showed it.

    Attributes:
        place: its host and port.
        target: what the URL says.
        greeting: what the first server said of itself.
        info: the fields of ``INFO``; empty if it may not be asked.
        settings: settings by name, those that may be asked.
        members: how many servers there are.
        ahead: seconds that its clock is ahead of ours, or None if it was not asked.
        default_open: whether the user ``default`` needs no password, or None if unknown.
        cluster: the fields of ``CLUSTER INFO``, for a member of a cluster.
        forbidden: what it would not tell.
    """

    place: str
    target: Target
    greeting: Greeting
    info: dict[str, Any]
    settings: dict[str, str]
    members: int = 1
    ahead: float | None = None
    default_open: bool | None = None
    cluster: dict[str, str] = {}
    forbidden: tuple[str, ...] = ()

    def number(self, name: str) -> int:
        """Returns a field of ``INFO`` as a number, 0 if it is not there."""
        try:
            return int(self.info.get(name, 0))
        except (TypeError, ValueError):
            return 0
