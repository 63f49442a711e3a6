"""One plugin listening to one trigger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from qtasks._triggers.caches import Caches
from qtasks._triggers.policy import Policy
from qtasks.contracts.on import Order
from qtasks.contracts.plugin import BasePlugin
from qtasks.contracts.triggers import TriggerSpec

__all__ = ["Subscribers", "Subscription"]


class Subscription(msgspec.Struct, frozen=True):
    """A compiled subscription.

    Attributes:
        plugin: the plugin's name.
        owner: the plugin.
        spec: the trigger.
        call: takes the trigger's arguments as one mapping; may return an awaitable.
        policy: what happens when it fails.
        is_async: whether calling it needs a running loop.
        caches: what it keeps from call to call, if it answers by name.
        method: the name of its method, ``trigger`` for a plugin that answers by name.
        named: whether it asked for this very trigger, rather than for all there are.
        order: whether it is asked first or last; None for neither.
        before: names of plugins that are asked later.
        after: names of plugins that are asked earlier.
    """

    plugin: str
    owner: BasePlugin
    spec: TriggerSpec
    call: Callable[[Mapping[str, Any]], Any]
    policy: Policy
    is_async: bool = False
    caches: Caches | None = None
    method: str = "trigger"
    named: bool = True
    order: Order | None = None
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


#: Who listens to a trigger, in order; empty if nobody does.
Subscribers: TypeAlias = tuple[Subscription, ...]
