"""One plugin listening to one trigger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

__all__ = ["Subscribers", "Subscription"]


class Subscription(msgspec.Struct, frozen=True):
    """A compiled subscription.

    Attributes:
        plugin: the plugin's name.
        call: takes the trigger's keyword arguments as one mapping; may return an awaitable.
        is_async: whether calling it needs a running loop.
    """

    plugin: str
    call: Callable[[Mapping[str, Any]], Any]
    is_async: bool


#: Who listens to a trigger, in order; empty if nobody does.
Subscribers: TypeAlias = tuple[Subscription, ...]
